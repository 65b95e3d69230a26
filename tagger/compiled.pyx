# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, infer_types=True
"""The compiled engine: a text in, its features and scores out; and the classifiers of sixteen themes at a time.

`Reader` gives what the NumPy engine (tagger/scorer/numeric.py) gives, to the last bit: both add in the same order.
"""

import numpy as np

from tagger.cleaning import CARD_LEAD_WEIGHT as _CARD_LEAD_WEIGHT, fold, lead_end
from tagger.tables import token_key

from libc.math cimport INFINITY, log, sqrt
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
    #define LANES static __attribute__((target_clones("avx2", "default"), optimize("O2"))) void
    #else
    #define LANES static void
    #endif
    static const uint64_t BASE = 0xD1342543DE82EF95u, MULTIPLIER = 0x9E3779B97F4A7C15u, KEY_BITS = (1ull << 63) - 1;

    /* Sixteen themes are summed up side by side, each by itself and in registers: registers of any width give the same
       bits, as no product is fused with its sum. */
    LANES sum_lanes(double *sums, const float *w, long themes, const int64_t *rows, const double *values, long n) {
        double lanes[16] = {0};
        for (long k = 0; k < n; k++) {
            __builtin_prefetch(w + themes * rows[k + 8 < n ? k + 8 : k]);
            for (int lane = 0; lane < 16; lane++) lanes[lane] += w[themes * rows[k] + lane] * values[k];
        }
        for (int lane = 0; lane < 16; lane++) sums[lane] = lanes[lane];
    }
    LANES dot_lanes(float *out, const float *w, const float *x, const int32_t *at, long n) {
        float lanes[16] = {0};
        for (long k = 0; k < n; k++)
            for (int lane = 0; lane < 16; lane++) lanes[lane] += x[k] * w[16L * at[k] + lane];
        for (int lane = 0; lane < 16; lane++) out[lane] = lanes[lane];
    }
    LANES add_lanes(float *restrict w, const float *restrict step, const float *x, const int32_t *at, long n) {
        for (long k = 0; k < n; k++)
            for (int lane = 0; lane < 16; lane++) w[16L * at[k] + lane] += x[k] * step[lane];
    }
    """
    const uint64_t BASE, MULTIPLIER, KEY_BITS  # those of tagger/tables.py
    void sum_lanes(double *sums, const float *w, long themes, const int64_t *rows, const double *values, long n) nogil
    void dot_lanes(float *out, const float *w, const float *x, const int32_t *at, long n) nogil
    void add_lanes(float *w, const float *step, const float *x, const int32_t *at, long n) nogil

cdef extern from "Python.h":
    bint Py_UNICODE_ISALNUM(Py_UCS4 char) nogil
    bint Py_UNICODE_ISDECIMAL(Py_UCS4 char) nogil
    uint32_t Py_UNICODE_TOLOWER(Py_UCS4 char) nogil
    int PyUnicode_KIND(object text)
    void *PyUnicode_DATA(object text)

cdef enum:
    WORDS, LEAD, PAIRS, CARD, BLOCKS

cdef enum:  # what a character is to a token; Python lowers a token with an odd one
    OUTSIDE = 0
    LETTER = 1
    DIGIT = 2
    ODD = 4
    LONG_TEXT = 20_000  # characters from which on other threads may run meanwhile
    COMMON = 256  # counts whose logarithm is kept
    SIGMA = 0x3A3

ctypedef fused Chars:  # one, two or four bytes for a character, as Python keeps them
    const uint8_t
    const uint16_t
    const uint32_t

cdef struct Token:
    int64_t start, end
    uint64_t key
    int32_t word  # its row, -1 where it is unknown
    int32_t card  # its number among the tokens of card terms, 0 where it is none

cdef struct Table:  # see tagger/tables.py
    const uint64_t *slots
    uint64_t mask
    int shift

cdef struct Block:  # the features of one kind in a text, in the order they are met
    int32_t *counts  # by row; zero between two texts
    int64_t *rows
    double *values
    Py_ssize_t n

cdef double CARD_LEAD_WEIGHT = _CARD_LEAD_WEIGHT
cdef int8_t[128] KINDS
cdef uint8_t[128] LETTERS  # in lower case; 0 for all else
cdef double[COMMON] LOG_TF
cdef int _n
for _n in range(128):
    KINDS[_n] = DIGIT if chr(_n).isdecimal() else LETTER if chr(_n).isalpha() or _n == c"_" else OUTSIDE
    LETTERS[_n] = ord(chr(_n).lower()) if KINDS[_n] == LETTER else 0
for _n in range(1, COMMON):
    LOG_TF[_n] = 1 + log(_n)


cdef inline int kind_of(uint32_t char) noexcept nogil:
    if char < 128:
        return KINDS[char]
    if char == 0x130 or char == SIGMA:  # İ becomes two characters, Σ another one at the end of a word
        return ODD
    return DIGIT if Py_UNICODE_ISDECIMAL(char) else LETTER if Py_UNICODE_ISALNUM(char) else OUTSIDE


cdef inline bint is_greek(uint32_t char) noexcept nogil:
    """Tell whether a character is one of the common Greek letters, which all have case."""
    return 0x388 <= char <= 0x3CE and char != 0x38B and char != 0x38D and char != 0x3A2


cdef inline bint is_common_sigma(Chars *text, Py_ssize_t at, Py_ssize_t start, Py_ssize_t length) noexcept nogil:
    """Tell whether it is plain what a Σ becomes: σ before a Greek letter, ς after one at the end of its token."""
    if text[at] != SIGMA:
        return False
    if at + 1 < length and kind_of(text[at + 1]) != OUTSIDE:
        return is_greek(text[at + 1])
    return at > start and is_greek(text[at - 1])


cdef uint64_t key_of(Chars *text, Py_ssize_t start, Py_ssize_t end, bint folds) noexcept nogil:
    """Return the key of a token in lower case; if it `folds`, with 00 for each number."""
    cdef uint64_t key = 0
    cdef int kind, before = OUTSIDE
    for at in range(start, end):
        kind = kind_of(text[at]) or DIGIT  # only numbers have points and commas in them
        if text[at] == SIGMA and at + 1 == end:
            key = key * BASE + 0x3C2
        elif kind != DIGIT or not folds:
            key = key * BASE + Py_UNICODE_TOLOWER(text[at])
        elif before != DIGIT:
            key = (key * BASE + c"0") * BASE + c"0"
        before = kind
    return key & KEY_BITS


cdef inline int64_t find(const Table *table, uint64_t key) noexcept nogil:
    """Return what is kept under a key, -1 where that is nothing."""
    cdef uint64_t at = key * MULTIPLIER >> table.shift
    while table.slots[2 * at]:
        if table.slots[2 * at] == key + 1:
            return table.slots[2 * at + 1]
        at = at + 1 & table.mask
    return -1


cdef inline double log_tf(int32_t count) noexcept nogil:
    return LOG_TF[count] if count < COMMON else 1 + log(count)


cdef inline void tally(Block *block, int64_t row) noexcept nogil:
    if block.counts[row] == 0:
        block.rows[block.n] = row
        block.n += 1
    block.counts[row] += 1


cdef double weigh(Block *block, int32_t *in_lead, const double *idf, double length) noexcept nogil:
    """Turn counts into tf-idf over a length, their own where that is 0 (1 for nothing); return the length."""
    cdef double squares = 0
    for k in range(block.n):
        row = block.rows[k]
        block.values[k] = log_tf(block.counts[row])
        if in_lead != NULL and in_lead[row]:
            block.values[k] += CARD_LEAD_WEIGHT * log_tf(in_lead[row])
            in_lead[row] = 0
        block.values[k] *= idf[row]
        squares += block.values[k] * block.values[k]
        block.counts[row] = 0
    length = length or sqrt(squares) or 1
    for k in range(block.n):
        block.values[k] /= length
    return length


cdef int by_size(const void *one, const void *other) noexcept nogil:
    return ((<uint64_t *> one)[0] > (<uint64_t *> other)[0]) - ((<uint64_t *> one)[0] < (<uint64_t *> other)[0])


cdef class Text:
    """A text and its tokens, of which there are at most `room`."""

    cdef str text
    cdef const void *chars
    cdef int width
    cdef Py_ssize_t length, lead, room, n
    cdef int64_t[:, ::1] memory
    cdef Token *tokens
    cdef uint64_t *unknown

    def __cinit__(self, str text not None):
        self.text, self.chars, self.width = text, PyUnicode_DATA(text), PyUnicode_KIND(text)
        self.length, self.lead = len(text), lead_end(text)
        self.room = (self.length + 1) // 2
        self.memory = np.empty((self.room + 1, 5), np.int64)
        self.tokens = <Token *> &self.memory[0, 0]
        self.unknown = <uint64_t *> &self.tokens[self.room]


cdef class Reader:
    """Reads texts with the arrays of one version (tagger/scorer/arrays.py); safe to share between threads."""

    cdef const int32_t[::1] lead_rows
    cdef Table tokens, pairs, cards
    cdef const double *idf[BLOCKS]
    cdef const float *weights[BLOCKS]
    cdef Py_ssize_t sizes[BLOCKS]
    cdef Py_ssize_t themes
    cdef object arrays
    cdef list idle

    def __init__(self, arrays):
        cdef const double[::1] idf
        cdef const float[:, ::1] weights
        self.arrays, self.idle = arrays, []  # what is pointed to stays mapped as long as this lives
        self.lead_rows, self.themes = arrays.lead_rows, len(arrays.bias)
        self.tokens, self.pairs = table_of(arrays.token_table), table_of(arrays.pair_table)
        self.cards = table_of(arrays.card_table)
        for kind, (idf, weights) in enumerate(arrays.blocks()):
            self.sizes[kind], self.idf[kind], self.weights[kind] = idf.shape[0], &idf[0], &weights[0, 0]

    def read(self, str text not None):
        """Return the number of words and of different ones, active features by block, and what they add to scores.

        Active features are (rows, values), in the order they are met; what was learned and the card add (n_themes,).
        """
        cdef Text found = Text(text)
        cdef Block[BLOCKS] blocks
        cdef Py_ssize_t[BLOCKS + 1] starts
        cdef Py_ssize_t first = 0, different, kind
        if found.length < LONG_TEXT:
            self.scan(found)
        else:
            with nogil:
                self.scan(found)
        # How often each feature is met, and each card term in the lead: zero but during a call.
        counts = self.idle.pop() if self.idle else np.zeros(sum(self.sizes) + self.sizes[CARD] + 1, np.int32)
        starts[0] = 0
        for kind in range(BLOCKS):
            starts[kind + 1] = starts[kind] + min(found.n * (3 if kind == CARD else 1), self.sizes[kind])
        rows, values = np.empty(starts[BLOCKS] + 1, np.int64), np.empty(starts[BLOCKS] + 1)
        sums = np.zeros((BLOCKS, self.themes))
        cdef int32_t[::1] of_counts = counts
        cdef int64_t[::1] of_rows = rows
        cdef double[::1] of_values = values
        cdef double[:, ::1] of_sums = sums
        for kind in range(BLOCKS):
            blocks[kind] = Block(&of_counts[first], &of_rows[starts[kind]], &of_values[starts[kind]], 0)
            first += self.sizes[kind]
        if found.length < LONG_TEXT:
            different = self.score(found, blocks, &of_counts[first], &of_sums[0, 0])
        else:
            with nogil:
                different = self.score(found, blocks, &of_counts[first], &of_sums[0, 0])
        self.idle.append(counts)
        active = [
            (rows[starts[kind] : starts[kind] + blocks[kind].n], values[starts[kind] : starts[kind] + blocks[kind].n])
            for kind in range(BLOCKS)
        ]
        return found.n, different, active, sums[WORDS], sums[CARD]

    def read_many(self, texts):
        """Yield the same of each text."""
        return map(self.read, texts)

    def occurrences(self, str text not None):
        """Return where tokens stand (n, 2), their word rows (n,), and (row, first token, length) of card terms."""
        cdef Text found = Text(text)
        cdef uint64_t key
        self.scan(found)
        spans = np.array([(found.tokens[k].start, found.tokens[k].end) for k in range(found.n)], np.int64)
        words, terms = np.array([found.tokens[k].word for k in range(found.n)], np.int64), []
        for first in range(found.n):
            key = 0
            for at in range(first, first + 3):
                row = self.card_row(found, at, first, &key)
                if row >= 0:
                    terms.append((row, first, at - first + 1))
                elif row == -2:
                    break
        return spans.reshape(-1, 2), words, terms

    cdef int scan(self, Text found) except -1 nogil:
        """Find the tokens of a text and look them up."""
        if found.width == 1:
            return self.scan_chars(<const uint8_t *> found.chars, found)
        if found.width == 2:
            return self.scan_chars(<const uint16_t *> found.chars, found)
        return self.scan_chars(<const uint32_t *> found.chars, found)

    cdef int scan_chars(self, Chars *text, Text found) except -1 nogil:
        cdef Py_ssize_t at = 0, start, length = found.length
        cdef uint64_t key
        cdef int kind, kinds
        cdef Token *token
        while at < length:
            start, key, kinds = at, 0, 0
            while at < length and text[at] < 128 and LETTERS[text[at]]:  # as a rule, these are the whole token
                key = key * BASE + LETTERS[text[at]]
                at += 1
            while at < length and (kind := kind_of(text[at])):
                kinds |= LETTER if kind == ODD and is_common_sigma(text, at, start, length) else kind
                at += 1
                if (kind == DIGIT and at + 1 < length and (text[at] == c"." or text[at] == c",")
                        and kind_of(text[at + 1]) == DIGIT):
                    at += 1
            if at - start > 1 or kinds == DIGIT:
                token = &found.tokens[found.n]
                found.n += 1
                token.start, token.end = start, at
                if kinds & ODD:
                    with gil:
                        raw = found.text[start:at].lower()
                        self.look_up(token, token_key(fold(raw)), token_key(raw))
                else:
                    key = key_of(text, start, at, False) if kinds else key & KEY_BITS
                    self.look_up(token, key_of(text, start, at, True) if kinds & DIGIT else key, key)
            at += 1
        return 0

    cdef inline void look_up(self, Token *token, uint64_t folded, uint64_t raw) noexcept nogil:
        cdef int64_t kept = find(&self.tokens, folded)
        token.key, token.word = folded, <int32_t> kept
        if raw != folded:
            kept = find(&self.tokens, raw)
        token.card = kept >> 32 if kept >= 0 else 0

    cdef inline int64_t card_row(self, Text found, Py_ssize_t at, Py_ssize_t first, uint64_t *key) noexcept nogil:
        """Return the row of the card term from the first token to one, whose key grows; -1 for none, -2 for the end."""
        if at >= found.n or found.tokens[at].card == 0:
            return -2
        key[0] |= <uint64_t> found.tokens[at].card << 21 * (at - first)
        return find(&self.cards, key[0])

    cdef Py_ssize_t score(self, Text found, Block *blocks, int32_t *in_lead, double *sums) noexcept nogil:
        """Tell the features of a text and what they add; return the number of different words."""
        cdef Token *token
        cdef Py_ssize_t n_unknown = 0, different = 0, n_words = self.lead_rows.shape[0]
        cdef int64_t before = -1
        cdef uint64_t *unknown = found.unknown
        cdef uint64_t key
        for k in range(found.n):
            token = &found.tokens[k]
            if token.word >= 0:
                tally(&blocks[WORDS], token.word)
                if token.start < found.lead and self.lead_rows[token.word] >= 0:
                    tally(&blocks[LEAD], self.lead_rows[token.word])
                row = find(&self.pairs, before * n_words + token.word) if before >= 0 else -1
                if row >= 0:
                    tally(&blocks[PAIRS], row)
            else:
                unknown[n_unknown] = token.key
                n_unknown += 1
            before = token.word
            key = 0
            for at in range(k, k + 3):
                row = self.card_row(found, at, k, &key)
                if row >= 0:
                    tally(&blocks[CARD], row)
                    in_lead[row] += found.tokens[at].start < found.lead
                elif row == -2:
                    break
        norm = weigh(&blocks[WORDS], NULL, self.idf[WORDS], 0)
        weigh(&blocks[LEAD], NULL, self.idf[LEAD], 0)
        weigh(&blocks[PAIRS], NULL, self.idf[PAIRS], 0)
        weigh(&blocks[CARD], in_lead, self.idf[CARD], norm)
        for kind in range(BLOCKS):
            self.add(&blocks[kind], self.weights[kind], sums + kind * self.themes)
        for k in range(self.themes):
            sums[k] = sums[k] + sums[self.themes + k] + sums[2 * self.themes + k]
        qsort(unknown, n_unknown, sizeof(uint64_t), by_size)
        for k in range(n_unknown):
            different += k == 0 or unknown[k] != unknown[k - 1]
        return blocks[WORDS].n + different

    cdef void add(self, const Block *block, const float *weights, double *sums) noexcept nogil:
        """Add up the weights of features times their values, theme by theme."""
        if self.themes < 16:
            for k in range(block.n):
                for theme in range(self.themes):
                    sums[theme] += weights[self.themes * block.rows[k] + theme] * block.values[k]
        else:
            for theme in range(0, self.themes, 16):
                theme = min(theme, self.themes - 16)  # the last sixteen may be some of those before, once more
                sum_lanes(sums + theme, weights + theme, self.themes, block.rows, block.values, block.n)


cdef Table table_of(slots):
    cdef const uint64_t[:, ::1] view = slots
    return Table(&view[0, 0], len(slots) - 1, 65 - int(len(slots)).bit_length())


cdef struct Lane:  # one theme on its way to its optimum
    bint done
    float above, highest, lowest  # projected gradients: what a text is set aside for, and what the pass has met


cdef inline float step(Lane *lane, float *dual, uint8_t *aside, float margin, float square, float cost) noexcept nogil:
    """Move one dual variable to its optimum, the others fixed; return by how much."""
    cdef float before = dual[0], gradient = margin - 1 + before / (2 * cost), projected = gradient
    if before == 0 and gradient > lane.above:
        aside[0] = True
        return 0
    if before == 0 and gradient > 0:
        projected = 0
    lane.highest, lane.lowest = max(lane.highest, projected), min(lane.lowest, projected)
    dual[0] = max(before - gradient / (square + 1 / (2 * cost)), 0)
    return dual[0] - before


cdef void shuffle(int32_t *order, Py_ssize_t n, uint64_t *random) noexcept nogil:
    for k in range(n):
        random[0] ^= random[0] << 13  # xorshift64 (Marsaglia 2003)
        random[0] ^= random[0] >> 7
        random[0] ^= random[0] << 17
        other = k + <Py_ssize_t> (random[0] % <uint64_t> (n - k))
        order[k], order[other] = order[other], order[k]


def fit_lanes(const float[::1] values, const int32_t[::1] columns, const int64_t[::1] starts,
              const float[:, ::1] card, const int8_t[:, ::1] signs, float positive_cost, float negative_cost,
              float tolerance, int most_passes, float[:, ::1] weights, float[:, ::1] rest):
    """Fit squared-hinge linear SVMs of sixteen themes side by side, by dual coordinate descent; return the passes made.

    `values`, `columns` and `starts` are the rows of n texts, `card` (n, 16) a feature of each theme's own, and `signs`
    (n, 16) is 1 where a text has the theme, -1 where not and 0 for lanes not in use. `weights` (n_features, 16) and
    `rest` (2, 16), the card's weight and the intercept, begin at 0. It is LIBLINEAR's method (Hsieh et al. 2008,
    algorithms 1 and 3), but that a row is read once for all its themes, which share the order of the texts.
    """
    cdef Py_ssize_t n = starts.shape[0] - 1, active = n, k, i, p
    cdef int lane, passes = 0, left = 16
    cdef float[::1] squares = np.ones(n, np.float32)  # that of the intercept's feature
    cdef uint64_t random = 20170705
    cdef float[:, ::1] duals = np.zeros((n, 16), np.float32)
    cdef uint8_t[:, ::1] aside = np.zeros((n, 16), np.uint8)
    cdef int32_t[::1] order = np.arange(n, dtype=np.int32)
    cdef float[16] margins, steps
    cdef Lane[16] lanes
    cdef bint live, moved
    for lane in range(16):
        lanes[lane] = Lane(signs[0, lane] == 0, INFINITY, 0, 0)
    with nogil:
        for i in range(n):
            for p in range(starts[i], starts[i + 1]):
                squares[i] += values[p] * values[p]
        while left and passes < most_passes:
            passes += 1
            for lane in range(16):
                lanes[lane].highest, lanes[lane].lowest = -INFINITY, INFINITY
            shuffle(&order[0], active, &random)
            k = 0
            while k < active:
                i = order[k]
                p, length = starts[i], starts[i + 1] - starts[i]
                dot_lanes(margins, &weights[0, 0], &values[p], &columns[p], length)
                live = moved = False
                for lane in range(16):
                    steps[lane] = 0
                    if lanes[lane].done or aside[i, lane]:
                        continue
                    live, sign, own = True, signs[i, lane], card[i, lane]
                    steps[lane] = sign * step(
                        &lanes[lane], &duals[i, lane], &aside[i, lane],
                        sign * (margins[lane] + own * rest[0, lane] + rest[1, lane]),
                        squares[i] + own * own, positive_cost if sign > 0 else negative_cost,
                    )
                    rest[0, lane] += own * steps[lane]
                    rest[1, lane] += steps[lane]
                    moved |= steps[lane] != 0
                if moved:
                    add_lanes(&weights[0, 0], steps, &values[p], &columns[p], length)
                if live:
                    k += 1
                else:
                    active -= 1
                    order[k], order[active] = order[active], order[k]
            left = 0
            for lane in range(16):
                if not lanes[lane].done:
                    if lanes[lane].highest - lanes[lane].lowest > tolerance:
                        lanes[lane].above = lanes[lane].highest if lanes[lane].highest > 0 else INFINITY
                    elif lanes[lane].above == INFINITY:
                        lanes[lane].done = True
                    else:  # all is well but for the texts that were set aside, which are now looked at again
                        lanes[lane].above, active = INFINITY, n
                        for i in range(n):
                            aside[i, lane] = False
                left += not lanes[lane].done
    return passes
