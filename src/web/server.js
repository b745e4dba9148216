// The server as the page sees it: requests with the token, errors as sentences.
let token = sessionStorage.getItem("token") || "";
let asked = null; // the token's dialog, while it is open

export class Problem extends Error {}

function askForToken() {
  const dialog = document.getElementById("login");
  if (token) document.getElementById("asks").textContent = "The token is wrong; this server asks for another.";
  asked ||= new Promise(resolve => {
    dialog.addEventListener("close", () => {
      token = document.getElementById("token").value.trim();
      sessionStorage.setItem("token", token);
      asked = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asked;
}

async function sentence(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `the server answered ${response.status}`;
  }
}

// Paths are relative, so that the page works below a prefix of a proxy.
export async function ask(path, options = {}) {
  for (;;) {
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (e) {
      if (e.name === "AbortError") throw e;
      throw new Problem("the server cannot be reached");
    }
    if (response.ok) return response;
    if (response.status !== 401) throw new Problem(await sentence(response));
    await askForToken();
  }
}

export const hasToken = () => token !== "";
