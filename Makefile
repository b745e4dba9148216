# gharial: one Makefile. `make help` lists the targets; new source files need no edit here.
# Variants (sanitizers, fuzzing) are this same Makefile called again with another BUILD folder.

ifdef FUZZ
BUILD   ?= .build/fuzz
SAN     := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
endif
BUILD   ?= .build
ifeq ($(origin CC),default)
CC      := gcc
endif
OPT     ?= -O2
CFLAGS  ?= $(OPT) -g
SAN     ?=
PREFIX  ?= /usr/local
MODELS  ?=
V       ?=
Q       := $(if $(V),,@)
MAKEFLAGS += --no-print-directory

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
# A multiply-add that rounds once stands only where a kernel asks for it: gcc keeps to that by -std=c17, clang does not.
CSTD    := -std=c17 -D_GNU_SOURCE$(if $(findstring clang,$(CC)), -ffp-contract=off)
# Sanitizers replace the hardening, and fortified functions need an optimiser.
HARDEN  := $(if $(SAN)$(filter -O0,$(CFLAGS)),,-fstack-protector-strong -D_FORTIFY_SOURCE=2)
LDHARD  := -Wl,-z,relro,-z,now
# OPENBLAS=-l:libopenblas.a takes what is needed of it into the program, 25 MB, instead of a library of 37 MB that
# needs two of Fortran's, 3 MB. The container image does so.
OPENBLAS ?= -lopenblas
LIBS    := -lmicrohttpd -ljansson -ljpeg -lspng -lwebp -lxxhash -lexpat $(OPENBLAS) -lm -lpthread
TESTLIB := -lcheck -lsubunit -lrt

# Debian packages: to build and run; to fetch the models; and, on top, to test.
BUILD_PACKAGES := gcc libc6-dev libmicrohttpd-dev libjansson-dev libjpeg62-turbo-dev libspng-dev libwebp-dev \
                  libxxhash-dev libexpat1-dev libopenblas-dev
FETCH_PACKAGES := ca-certificates curl python3 python3-venv
TEST_PACKAGES  := check libsubunit-dev

# ---- what there is ----
SRC     := $(sort $(wildcard src/*/*.c src/*/*/*.c))
ifneq ($(filter x86_64% amd64% i686%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
KFLAGS  := -DGH_X86=1
else
SRC     := $(filter-out src/kernels/avx%,$(SRC))
endif
APPSRC  := $(filter src/cli/% src/http/% src/web/%,$(SRC))
LIBSRC  := $(filter-out $(APPSRC),$(SRC))
obj      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

ALLFLAGS = $(CSTD) $(WARN) $(CFLAGS) $(HARDEN) $(SAN) $(KFLAGS) -Iinclude -Isrc -Itests
LINK     = $(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LDFLAGS) $(LDHARD)

.PHONY: all lib help
all: $(BUILD)/gharial lib
lib: $(BUILD)/libgharial.a

help:
	@sed -n 's/^#: *//p' Makefile

#: all           the program .build/gharial and libgharial.a (the default)
#: serve         install what is missing, build, fetch the models, serve on 127.0.0.1:8080
#: check         install what tests need, then run all of them
#: unit          only the unit and kernel tests (one suite: .build/unit NAME)
#: check-asan    unit, ONNX and end-to-end tests under Address and Undefined sanitizers
#: check-tsan    the same under the Thread sanitizer
#: check-valgrind unit tests under Valgrind, with the AVX2 kernels (SUITE=NAME: one suite; so for the next two)
#: check-nehalem the program and the unit tests on an emulated CPU without AVX2 (half an hour)
#: check-arm64   the same of a build for arm64, on an emulated arm64 CPU
#: check-levels  three large networks and the ONNX vectors at every level (GHARIAL_CPU) that this CPU has
#: check-page    the page in headless Chromium, which it installs
#: check-ort     compare random networks and photos with ONNX Runtime (a part of check)
#: bench         speed beside ONNX Runtime, OpenVINO and MNN, training of heads beside scikit-learn, training steps beside PyTorch (DATA=FOLDER: on its photos)
#: bench-http    the server under load, overload, slow clients, reloads, killed replicas; ARGS="--quick overload" (tests/bench/http.sh)
#: bench-kernels  GFLOP/s of every kernel at every level, ARGS="-c -l avx512 WORD" (see tests/bench/kernels.c)
#: experiments   the README's table of what a pretrained body is worth (DATA=FOLDER)
#: emotions      train the network of models/emotions anew and measure both (DATA=FOLDER, see README)
#: models        fetch and import the default models, or MODELS="name ..."
#: fuzz          build the fuzz targets and replay their corpora; FUZZ=1 CC=clang builds libFuzzer programs
#: lint          check the rules of the tree;  format, format-check: layout by .clang-format
#: deps          install the packages for building and running;  deps-test: and for testing
#: lib install clean     DESTDIR and PREFIX are honoured; V=1 shows commands

# ---- compile and link ----
# Only the ISA folders get ISA flags; all else, the dispatcher too, is baseline code.
FAST := -O3 -fno-math-errno -fno-trapping-math
AVX2 := -mavx2 -mfma
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
# Operators whose loops a compiler turns into vectors.
$(patsubst %,$(BUILD)/obj/src/engine/ops/%.o,arg power reduce sign): ISA := -O3
$(BUILD)/obj/src/kernels/ref/%.o: ISA := $(FAST)
$(BUILD)/obj/src/kernels/avx2/%.o: ISA := $(FAST) $(AVX2)
$(BUILD)/obj/src/kernels/avx512/%.o: ISA := $(FAST) $(AVX512)
$(BUILD)/obj/src/kernels/avx512bf16/%.o: ISA := $(FAST) $(AVX512) -mavx512bf16

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "CC $<")
	$(Q)$(CC) $(ALLFLAGS) $(ISA) -MMD -MP -c -o $@ $<

# Other flags, or another compiler, rebuild everything.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALLFLAGS) $(LIBS)' | cmp -s - $@ || echo '$(CC) $(ALLFLAGS) $(LIBS)' > $@
# The commit, for gh_build(): COMMIT, or what git says. Where it changes, one object is compiled again.
COMMIT ?=
$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@c='$(COMMIT)'; [ -n "$$c" ] || c=$$(git describe --always --tags --dirty 2>/dev/null || echo unknown); \
	echo "$$c" | cmp -s - $@ || echo "$$c" > $@
$(BUILD)/obj/src/tasks/version.o: $(BUILD)/commit
$(BUILD)/obj/src/tasks/version.o: ISA = -DGH_BUILD='"$(shell cat $(BUILD)/commit 2>/dev/null)"'
.PHONY: FORCE

# Files that the assembler takes in (.incbin) stand in no .d file.
$(BUILD)/obj/src/http/embedded.o: api/openapi.json $(wildcard src/web/*)

$(BUILD)/libgharial.a: $(call obj,$(LIBSRC))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/gharial: $(call obj,$(APPSRC)) $(BUILD)/libgharial.a
	$(Q)$(LINK) $(LIBS)

# ---- tests: one Check program each for tests/unit with tests/kernels, tests/onnx and tests/e2e ----
APPTEST := $(filter-out src/cli/main.c,$(APPSRC))
UNIT    := $(sort $(wildcard tests/unit/*.c tests/kernels/*.c))
ONNX    := $(sort $(wildcard tests/onnx/*.c)) $(sort $(wildcard tests/unit/random_*.c)) tests/unit/arch_case.c tests/unit/checkpoint.c
E2E     := $(sort $(wildcard tests/e2e/*.c)) tests/unit/picture.c
CHECKS  := $(if $(ONNX),$(BUILD)/onnx) $(if $(E2E),$(BUILD)/e2e) $(BUILD)/unit

$(BUILD)/unit: $(call obj,$(UNIT) $(APPTEST)) $(BUILD)/libgharial.a
	$(Q)$(LINK) $(TESTLIB) $(LIBS)
$(BUILD)/onnx: $(call obj,$(ONNX)) $(BUILD)/libgharial.a
	$(Q)$(LINK) $(TESTLIB) $(LIBS)
# A user's program: the public header and the library alone.
$(BUILD)/example: tests/e2e/example/classify.c $(BUILD)/libgharial.a
	$(Q)$(CC) $(CSTD) $(WARN) $(CFLAGS) $(SAN) -Iinclude -o $@ $^ $(LDFLAGS) $(LIBS)
$(BUILD)/e2e: | $(BUILD)/example
$(BUILD)/e2e: $(call obj,$(E2E)) $(BUILD)/libgharial.a
	$(Q)$(LINK) $(TESTLIB) $(LIBS)

# Without stack-use-after-return: gcc 12 aligns its frames to less than AVX-512 code stores to (GCC bug 110027).
export ASAN_OPTIONS ?= allocator_may_return_null=1:detect_stack_use_after_return=0
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1
ifneq ($(SAN),)
export CK_TIMEOUT_MULTIPLIER ?= 10
endif
ADDRESS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
JOBS     = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: unit check check-inputs check-run check-asan check-tsan check-valgrind
unit: $(BUILD)/unit photos test-models
	$(BUILD)/unit

check: check-inputs
	$(MAKE) $(JOBS) check-ort
	$(MAKE) $(JOBS) check-run

# Models, photos and vectors one after the other: all may make the same Python environment.
check-inputs: deps-test
	$(MAKE) $(JOBS) all
	$(MAKE) models
	$(MAKE) test-models
	$(MAKE) photos
	$(MAKE) vectors

# The fuzz corpora, then every Check program, also when one fails; the unit tests, and so a summary of Check,
# come last. What the program under test logs is shown where a test failed.
check-run: all $(CHECKS) fuzz
	$(Q)failed=; for t in $(CHECKS); do \
	    echo "== $$t"; BUILD=$(BUILD) $$t 2>$$t.log && continue; \
	    failed="$$failed $$t"; tail -n 40 $$t.log; echo "== its whole log is $$t.log"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

check-asan: check-inputs
	$(MAKE) $(JOBS) BUILD=.build/asan OPT=-O1 SAN="$(ADDRESS)" check-run
check-tsan: check-inputs
	$(MAKE) $(JOBS) BUILD=.build/tsan OPT=-O1 SAN=-fsanitize=thread check-run
# Valgrind knows no AVX-512.
check-valgrind: check-inputs
	$(call install_missing,valgrind)
	$(MAKE) $(JOBS) $(BUILD)/unit
	GHARIAL_CPU=avx2 CK_FORK=no CK_TIMEOUT_MULTIPLIER=60 valgrind -q --error-exitcode=1 --leak-check=full $(BUILD)/unit $(SUITE)

# ---- processors without AVX2, emulated: no part of check ----
# What the emulator starts must be able to find the emulated system's libraries: -L.
ARM64_ROOT := .build/arm64/sysroot/root
ARM64_LIBS := $(filter %-dev check,$(filter-out libopenblas-dev,$(BUILD_PACKAGES) $(TEST_PACKAGES))) libopenblas-pthread-dev
.PHONY: check-nehalem check-arm64 check-levels
check-nehalem: check-inputs
	$(call install_missing,qemu-user)
	$(MAKE) $(JOBS) $(BUILD)/unit
	$(Q)BUILD=$(BUILD) HOST=$(BUILD)/gharial EMULATOR="qemu-x86_64 -cpu Nehalem" sh tests/cpus/run.sh $(SUITE)

check-arm64: check-inputs
	$(call install_missing,qemu-user gcc-aarch64-linux-gnu)
	$(Q)sh tests/cpus/sysroot.sh .build/arm64/sysroot arm64 $(ARM64_LIBS)
	$(MAKE) $(JOBS) BUILD=.build/arm64 CC="aarch64-linux-gnu-gcc --sysroot=$(ARM64_ROOT)" .build/arm64/gharial .build/arm64/unit
	$(Q)BUILD=.build/arm64 HOST=$(BUILD)/gharial EMULATOR="qemu-aarch64 -L $(ARM64_ROOT)" sh tests/cpus/run.sh $(SUITE)

# Not emulated: the bench's three networks and the ONNX vectors at every level that this processor has.
check-levels: check-inputs
	$(MAKE) $(JOBS) $(BUILD)/onnx $(BUILD)/bench-nets
	$(Q)python3 tests/cpus/levels.py $(BUILD)

# ---- fuzzing: each tests/fuzz/fuzz_NAME.c is a program; its seeds are tests/fuzz/corpus/NAME ----
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZMAIN := $(if $(FUZZ),-fsanitize=fuzzer,$(call obj,tests/fuzz/driver.c))

$(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(filter %.o,$(FUZZMAIN)) $(call obj,$(APPTEST)) $(BUILD)/libgharial.a
	$(Q)$(LINK) $(filter -%,$(FUZZMAIN)) $(LIBS)

# A libFuzzer program replays the files that it is given, so the same loop serves both.
.PHONY: fuzz
.SECONDARY:
fuzz: $(FUZZERS:%=$(BUILD)/fuzz_%)
	$(Q)set -e; for f in $(FUZZERS); do \
	    files=$$(find tests/fuzz/corpus/$$f tests/fuzz/crashes/$$f -type f 2>/dev/null || true); \
	    echo "== fuzz_$$f: $$(echo "$$files" | grep -c .) inputs"; \
	    [ -n "$$files" ] || continue; \
	    $(BUILD)/fuzz_$$f $$files >$(BUILD)/fuzz_$$f.log 2>&1 || { cat $(BUILD)/fuzz_$$f.log; exit 1; }; \
	done

# ---- models, photos, serving, measuring ----
.PHONY: models test-models photos vectors serve bench
# Models that are optional for users, but tested.
test-models: $(BUILD)/gharial
	$(Q)GHARIAL=$(BUILD)/gharial sh models/fetch.sh faces-detector faces-fast faceres

models: $(BUILD)/gharial
	$(Q)GHARIAL=$(BUILD)/gharial sh models/fetch.sh $(MODELS)

photos:
	$(Q)sh models/fetch.sh photos

# The ONNX project's own test vectors, into .build/onnx-vectors.
vectors:
	$(Q)sh tests/onnx/fetch.sh

serve: deps
	$(MAKE) $(JOBS) all
	$(MAKE) models
	$(MAKE) test-models
	$(MAKE) photos
	$(BUILD)/gharial serve --models models

# Random networks and the photos, against ONNX Runtime.
.PHONY: check-ort
check-ort: all $(BUILD)/onnx $(BUILD)/bench-tensors $(BUILD)/bench-masks
	$(Q)BUILD=$(BUILD) sh tests/bench/run.sh check

# The page in headless Chromium.
.PHONY: check-page
check-page: all
	$(call install_missing,chromium)
	$(Q)BUILD=$(BUILD) sh tests/page/run.sh

# The network of models/emotions anew from FER+ (DATA/votes.csv, DATA/{train,valid}/<emotion>/), an hour on two cores,
# and both it and the one in the tree measured on the part that they did not learn from.
EMOTIONS := --body face-expression --head softmax --unfreeze all --epochs 20 --batch 64 --lr 0.001 --grey --balance sqrt \
            --augment flip,scale=0.15,crop=0.1,rotate=10,colour=0.2,blur=0.1,small=0.1
.PHONY: emotions
emotions: all
	$(if $(DATA),,$(error say where the faces are: make emotions DATA=FOLDER, with FOLDER/votes.csv))
	$(Q)GHARIAL=$(BUILD)/gharial sh models/fetch.sh face-expression
	$(BUILD)/gharial train --data $(DATA)/votes.csv $(EMOTIONS) --resume --out $(BUILD)/emotions
	$(BUILD)/gharial eval --model models/emotions --data $(DATA) --split val
	$(BUILD)/gharial eval --model $(BUILD)/emotions --data $(DATA) --split val

# Each tests/bench/NAME.c is a program of its own, bench-NAME.
.PHONY: bench-kernels
bench-kernels: $(BUILD)/bench-kernels
	$(Q)$(BUILD)/bench-kernels $(ARGS)
$(BUILD)/bench-%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libgharial.a
	$(Q)$(LINK) $(LIBS)

bench: all $(patsubst tests/bench/%.c,$(BUILD)/bench-%,$(wildcard tests/bench/*.c))
	$(Q)BUILD=$(BUILD) sh tests/bench/run.sh
	$(Q)BUILD=$(BUILD) sh tests/bench/run.sh nets
	$(Q)$(BUILD)/bench-segment
	$(Q)BUILD=$(BUILD) sh tests/bench/run.sh heads $(if $(DATA),--data $(DATA) --model models/efficientnet-lite0/model.onnx)
	$(Q)BUILD=$(BUILD) sh tests/bench/run.sh train || echo "bench: PyTorch does not run here; no training steps beside it" >&2

.PHONY: bench-http
bench-http: all $(BUILD)/bench-http_load $(BUILD)/bench-http_infer
	$(call install_missing,$(FETCH_PACKAGES) wrk nginx-light)
	$(MAKE) models
	$(Q)BUILD=$(BUILD) sh tests/bench/http.sh $(ARGS)

# The experiment of the README, on a set of your own: DATA/{train,test}/<class>/.
DATA ?=
.PHONY: experiments
$(BUILD)/transfer: $(BUILD)/obj/tests/experiments/transfer.o $(BUILD)/libgharial.a
	$(Q)$(LINK) $(LIBS)
experiments: all $(BUILD)/transfer models
	$(if $(DATA),,$(error say where the pictures are: make experiments DATA=FOLDER, with FOLDER/{train,test}/<class>/))
	$(BUILD)/transfer $(DATA) models/efficientnet-lite0 $(BUILD)/experiments

# ---- packages: does nothing, and needs no network, when all is there ----
define install_missing
@command -v dpkg-query >/dev/null || { echo "not a Debian system; needed are: $(1)"; exit 0; }; \
missing=; \
for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
done; \
[ -n "$$missing" ] || exit 0; \
echo "installing:$$missing"; \
if [ "$$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null; then root=sudo; else \
    echo "please install as root:$$missing" >&2; exit 1; \
fi; \
$$root apt-get update -q >/dev/null && \
$$root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
    apt-get install -yq --no-install-recommends -o DPkg::Lock::Timeout=120 $$missing >/dev/null
endef

.PHONY: deps deps-test
deps:
	$(call install_missing,$(BUILD_PACKAGES) $(FETCH_PACKAGES))
deps-test:
	$(call install_missing,$(BUILD_PACKAGES) $(FETCH_PACKAGES) $(TEST_PACKAGES))

# ---- the tree ----
CFILES = $(shell git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]')

.PHONY: lint format format-check install clean
lint:
	$(Q)sh tests/lint/selftest.sh
	$(Q)BUILD=$(BUILD) sh tests/lint/run.sh

format:
	clang-format -i $(CFILES)
format-check:
	clang-format --dry-run --Werror $(CFILES)

install: all
	install -D -m 755 $(BUILD)/gharial $(DESTDIR)$(PREFIX)/bin/gharial
	install -D -m 644 $(BUILD)/libgharial.a $(DESTDIR)$(PREFIX)/lib/libgharial.a
	install -D -m 644 include/gharial.h $(DESTDIR)$(PREFIX)/include/gharial.h

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
