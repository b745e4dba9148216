"""Do ONNX Runtime and gharial agree on a folder of labelled photos, given the same decoded pixels?

Usage: sh tests/bench/run.sh agree FOLDER [MODEL...]
FOLDER holds labels.tsv: a line a photo, with its file, the index of its class, and a name. Fails unless the best
class is the same for every photo and no probability differs by 1e-4 or more."""
import csv
import sys

import runtimes


def main(folder, names):
    with open(f"{folder}/labels.tsv", encoding="utf-8", newline="") as f:
        rows = [row for row in csv.reader(f, delimiter="\t") if len(row) > 1 and row[1].isdigit()]
    paths, truth = [f"{folder}/{row[0]}" for row in rows], [int(row[1]) for row in rows]
    print(f"{'model':<20} {'photos':>6} {'gharial right':>13} {'ORT right':>9} {'same best':>9} "
          f"{'raw differs':>11} {'score differs':>13}")
    good = True
    for model in runtimes.models(names):
        a = runtimes.Agreement(model, paths)
        right, theirs = (sum(x == y for x, y in zip(best, truth)) for best in (a.ours, a.theirs))
        print(f"{model[7:]:<20} {a.count:>6} {right:>13} {theirs:>9} {a.same:>9} {a.raw:>11.2e} {a.score:>13.2e}",
              flush=True)
        good = good and a.holds()
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
