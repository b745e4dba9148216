// The camera: one frame in flight at a time, so that the rate is what server and network give.
const LONGEST = 640; // pixels; larger frames only cost time on the way

export class Camera {
  constructor(video) {
    this.video = video;
    this.canvas = document.createElement("canvas");
    this.stream = null;
    this.rate = 0;
  }

  get running() {
    return this.stream !== null;
  }

  async start(onFrame) {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.rate = 0;
    this.loop(onFrame, this.stream);
  }

  stop() {
    for (const track of this.stream?.getTracks() || []) track.stop();
    this.stream = this.video.srcObject = null;
  }

  frame() {
    const { videoWidth: w, videoHeight: h } = this.video, scale = Math.min(1, LONGEST / Math.max(w, h));
    this.canvas.width = Math.round(w * scale);
    this.canvas.height = Math.round(h * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise(resolve => this.canvas.toBlob(resolve, "image/jpeg", 0.85));
  }

  async loop(onFrame, stream) {
    let last = performance.now();
    while (this.stream === stream) {
      const blob = await this.frame();
      if (blob && this.stream === stream && !(await onFrame(blob))) return;
      await new Promise(requestAnimationFrame);
      const now = performance.now(), rate = 1000 / (now - last);
      this.rate = this.rate ? 0.8 * this.rate + 0.2 * rate : rate;
      last = now;
    }
  }
}
