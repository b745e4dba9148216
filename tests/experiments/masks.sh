#!/bin/sh
# The README's table of decoders and unpoolings: masks.sh GHARIAL DATA OUT [EPOCHS]. DATA holds train/ and val/
# with images/ and masks/. A run that was stopped goes on where it was.
set -eu
gharial=$1 data=$2 out=$3 epochs=${4:-20}
mkdir -p "$out"
run()
{
    name=$1
    shift
    [ -e "$out/$name/model.json" ] ||
        "$gharial" train segment --data "$data" --out "$out/$name" --size 240x176 --balance sqrt --val-some 25 \
            --epochs "$epochs" --resume "$@" >"$out/$name.txt"
    "$gharial" eval --model "$out/$name" --data "$data" --split val --json >"$out/$name.json"
    printf '%-16s %s %s\n' "$name" "$(sed -n 's/.*"miou": \([0-9.]*\).*/mIoU \1/p' "$out/$name.json" | head -1)" \
        "$(sed -n 's/^time *//p' "$out/$name.txt" 2>/dev/null)"
}
run fcn-32 --decoder fcn-32 --unpool learned
run fcn-8 --decoder fcn --unpool learned
run unet-nearest --decoder unet --unpool nearest
run unet-learned --decoder unet --unpool learned
run scratch-unet --from-scratch unet --decoder unet --unpool nearest
run scratch-segnet --from-scratch segnet --decoder segnet --unpool max
