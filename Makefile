# gharial: one Makefile, no recursion. `make help` lists the targets.
BUILD   ?= .build
CC      ?= gcc
OPT     ?= -O2
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CSTD    := -std=c17 -D_GNU_SOURCE
SAN     ?=
CFLAGS  ?= $(OPT) -g
LIBS    := -lmicrohttpd -ljansson -ljpeg -lspng -lwebp -lopenblas -lm -lpthread

SRC     := $(sort $(wildcard src/*/*.c src/*/*/*.c))
CLI     := $(filter src/cli/%,$(SRC))
LIBSRC  := $(filter-out $(CLI) $(wildcard src/http/*.c),$(SRC))
HTTP    := $(wildcard src/http/*.c)
obj      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ALLCFLAGS = $(CSTD) $(WARN) $(CFLAGS) $(SAN) -Iinclude -Isrc -I$(BUILD)/gen -Itests -MMD -MP

.PHONY: all
all: $(BUILD)/gharial $(BUILD)/libgharial.a

# Only the ISA folders get ISA flags; the dispatcher is baseline.
$(BUILD)/obj/src/kernels/ref/%.o: ISA := -O3 -fno-math-errno
$(BUILD)/obj/src/kernels/avx2/%.o: ISA := -O3 -fno-math-errno -mavx2 -mfma
$(BUILD)/obj/src/kernels/avx512/%.o: ISA := -O3 -fno-math-errno -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
ifneq ($(filter x86_64% amd64%,$(shell $(CC) -dumpmachine)),)
KFLAGS := -DGH_X86=1
else
SRC    := $(filter-out src/kernels/avx%,$(SRC))
endif

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLCFLAGS) $(KFLAGS) $(ISA) -c -o $@ $<

$(BUILD)/libgharial.a: $(call obj,$(LIBSRC))
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/gharial: $(call obj,$(CLI) $(HTTP)) $(BUILD)/libgharial.a
	$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LDFLAGS) $(LIBS)

# Unit tests: every tests/unit/test_*.c and tests/kernels/*.c is a part of one Check runner.
UNIT := $(sort $(wildcard tests/unit/*.c tests/kernels/*.c))
$(BUILD)/unit: $(call obj,$(UNIT)) $(BUILD)/libgharial.a
	$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LDFLAGS) -lcheck -lsubunit -lrt $(LIBS)

.PHONY: unit
unit: $(BUILD)/unit
	$(BUILD)/unit

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
