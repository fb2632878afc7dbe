"""How many requests one endpoint is given at once: found by measurement, and followed when it moves.

A server with room for S requests answers S at once or more with the same requests a second; what is asked beyond S only
waits in its queue. `Law` looks for S; `inference.permits` is its limit as an asyncio event loop uses it.

The law, round by round (a round is about one full limit of requests, sent and answered at one limit):

1. Queue by latency: of n in flight, n * (1 - base / seconds) wait, where the base is what the same replies took
   without a queue. Replies differ in length, so seconds are compared along the line seconds = fixed + slope * tokens.
   A steeper slope is a slower server (a fuller batch), never a queue: waiting does not know how long a reply will be.
2. Less queue than allowed (about 5%, and what noise explains): grow, by steps that double. Twice as much, in two rounds
   (or plainly, in one): down to what runs.
3. Every PROBE_EVERY rounds a little less for one round: what latency does then renews the base.
4. A cut after which latency stays, or a first round that began in a queue, makes the base suspect. Then the limit is
   halved until latency no longer falls; the lowest rung gives the base and every rung an estimate of the knee, of which
   the largest counts. A slower server gets its limit back like this, a queue does not.
5. While `/metrics` is fresh it decides alone, once a poll: with requests waiting down in proportion to what runs, plus
   a constant; without, up by steps that double. The constant makes clients of one server converge to equal shares.

Where it starts. "Starts low" costs a round trip for each doubling, and the first round trip tells nothing at all: 200
dialogues of 8 turns at 200 ms reach 1.00 of the ideal from 256, 0.80 from 64, 0.67 from 16 (simulated). A start that
is too high costs no throughput, only the time until its queue has drained: START / S service times, once. So it starts
at vLLM's smallest usual `max_num_seqs` and drops on the first evidence, after 48 answers. The owner of a small server
knows its slots and passes them as ceiling.

What latency alone cannot tell: of several clients without `/metrics` each sees its own share of what its own cuts do.
Throughput stays, but shares may differ by a factor and the queue may exceed the aim. With `/metrics` both hold.
"""

import math
from dataclasses import dataclass, replace

from inference.server_metrics import ServerLoad

START = 256
"""Requests in flight before anything is known, if the ceiling allows as many."""

PREFILL = 0.1
"""A prompt token that was not cached, in reply tokens; needs to be right only as far as prompts differ."""

FIRST = 24
"""Answers of a cold start that stand for service without a queue; with as many more an overrun start is seen."""

PRECISION = 0.04
"""Relative error wanted of a round's mean; noisier servers get longer rounds (up to MOST_ANSWERS)."""

MOST_ANSWERS = 150
PROBE_EVERY = 20
"""Rounds between two renewals of the base."""

HOLD = 6
"""Rounds after a queue was seen in which only an empty queue lets the limit grow: the knee is near."""

STRAY = 0.08
"""Share of refusals (429, 503) up to which they are an accident of some requests, and no want of room."""

CREEP = 1.25
"""A base is never believed above this multiple of the lowest one, unless the server was shown to be slower."""

STILL_FALLS = 0.25
"""Latency falls along with the limit: 1 where all beyond the knee waits, 0 below the knee. Above this: a queue."""

UNMOVED = 0.15
SLOWER = 0.08
"""A threefold cut after which latency moved less than this found a slower server (another client's queue moves it)."""

METRICS_FRESH_S = 3.0
ADDED = 0.03
"""Added a poll, as a share of what the server runs: with one client so much waits. With less, clients stay uneven."""

HARDEST_CUT = 0.6
"""A poll may have seen another client's burst."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one answer tells the law."""

    seconds: float
    """From the grant of the permit until the answer."""
    completion_tokens: int
    prefilled_tokens: int
    """Of the prompt, those that were not in the server's cache."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a round's requests took, on average, at one limit."""

    limit: float
    seconds: float
    error: float
    """Relative standard error of the seconds."""
    tokens: float = 0.0
    slope: float = 0.0
    """Seconds a token; 0: lengths do not tell."""
    slope_error: float = 0.0

    def expected(self, other: "Pace") -> float:
        """Seconds that the replies of `other` take at this pace, by a server as slow a token as in `other`."""
        seconds = self.seconds + (self.slope or other.slope) * (other.tokens - self.tokens)
        if self.slope > 0 and other.slope > 0:
            error = math.hypot(self.slope_error / self.slope, other.slope_error / other.slope)
            seconds *= 1 + _believed(other.slope / self.slope - 1, error)
        return max(seconds, 1e-9)


def _believed(excess: float, error: float) -> float:
    """The part of a measured excess that is not noise: nearly none of a small one, nearly all of a large one."""
    return excess**3 / (excess**2 + error**2) if excess > 0 else 0.0


class _Round:
    """The first requests sent from `start` on, and what came of them. Later ones wait for the next round, so that slow
    answers count as much as quick ones."""

    def __init__(self, start: float, peak: int):
        self.start = start
        self.end = math.inf
        self.sends = self.count = self.lost = self.late = 0
        self.peak = peak
        """Most in flight at once."""
        self.full = False
        """The limit was reached."""
        self.first: Pace | None = None
        self.first_at = 0.0
        self.s = self.t = self.ss = self.st = self.tt = 0.0

    def add(self, now: float, seconds: float, tokens: float) -> None:
        self.count += 1
        self.s += seconds
        self.t += tokens
        self.ss += seconds * seconds
        self.st += seconds * tokens
        self.tt += tokens * tokens
        if self.count == FIRST:
            self.first, self.first_at = self.pace(0, _Spread(self)), now

    def pace(self, limit: float, spread: "_Spread") -> Pace:
        slope, slope_error, variance = spread.line()
        mean = max(self.s / self.count, 1e-9)
        return Pace(limit, mean, math.sqrt(variance / self.count) / mean, self.t / self.count, slope, slope_error)

    def first_share(self) -> float:
        """What the first answers took of the mean: far below 1 when they had no queue before them and others had."""
        if self.first is None:
            return 1.0
        whole = self.pace(0, _Spread(self))
        return (self.first.seconds + whole.slope * (whole.tokens - self.first.tokens)) / whole.seconds


class _Spread:
    """How seconds go with tokens inside rounds: of one round, and of those before it where it is short."""

    def __init__(self, r: _Round, before: "_Spread | None" = None):
        n, s, t = r.count, r.s / r.count, r.t / r.count
        self.weight = float(n)
        self.ss = max(0.0, r.ss - n * s * s)
        self.st = r.st - n * s * t
        self.tt = max(0.0, r.tt - n * t * t)
        keep = max(0.0, 1 - n / 60)
        if before is not None and keep:
            self.weight += keep * before.weight
            self.ss += keep * before.ss
            self.st += keep * before.st
            self.tt += keep * before.tt

    def line(self) -> tuple[float, float, float]:
        """(slope, its error, variance of the seconds around the line); a slope of 0 where it is not certain."""
        if self.weight > 8 and self.tt > 1e-6 * self.weight:
            slope = self.st / self.tt
            residual = max(0.0, self.ss - slope * self.st) / self.weight
            error = math.sqrt(residual / self.tt)
            if slope > 2 * error:
                return slope, error, residual
        return 0.0, 0.0, self.ss / self.weight


class Law:
    """The control law alone: told what happens and when, it has a `limit`. Knows no clock and no event loop."""

    def __init__(self, ceiling: int, start: int = START):
        self.ceiling = ceiling
        self.limit = max(1, min(start, ceiling))
        self._exact = float(self.limit)
        self._in_flight = 0
        self._round = _Round(math.inf, 0)
        self._settling = True
        """The limit came down, or nothing was sent yet: the next round begins when in_flight is within it."""
        self._cold = True
        self._spread: _Spread | None = None
        self._noise = 0.0
        self._latency = 0.1
        self._base: Pace | None = None
        self._floor: Pace | None = None
        self._step = self._exact
        self._rounds = 0
        self._hold = 0
        self._last_queue = 0.0
        self._before: Pace | None = None
        """The round before a cut or probe whose effect the present round measures."""
        self._probing = False
        self._suspect = False
        self._rungs: list[Pace] = []
        self._was_full = False
        self._load_at = -math.inf
        self._refused = self._answers = 0
        """Since the first refusal that the limit was not yet held against."""
        self._refused_from = -math.inf

    # What happens

    def sent(self, now: float, in_flight: int) -> None:
        """A request leaves; `in_flight` counts it."""
        self._in_flight = in_flight
        r = self._round
        if self._settling and in_flight <= self.limit:
            self._settling = False
            r = self._round = _Round(now, 0)
        r.sends += 1
        if in_flight > r.peak:
            r.peak = in_flight
        if in_flight >= self.limit:
            r.full = True
        if r.end == math.inf and r.sends >= self._size(r):
            r.end = now

    def answered(self, now: float, answered: Answered) -> None:
        self._in_flight -= 1
        self._answers += 1
        r = self._round
        sent = now - answered.seconds
        if self._settling or sent < r.start - 1e-9:
            return
        if sent > r.end + 0.05 * answered.seconds:
            r.late += 1
            if r.late >= 2 * self._size(r):  # its own answers do not come, or come with other times than they took
                self._judge(now, r) if r.count >= FIRST else self._set(now, self._exact)
            return
        r.add(now, answered.seconds, answered.completion_tokens + PREFILL * answered.prefilled_tokens)
        if self._cold and r.count >= 2 * FIRST and r.first_share() < 0.5:
            self._overrun(now, r)
        elif r.count >= 0.97 * self._size(r) - r.lost or (
            r.count >= 16 and now - r.start > max(2.0, 4 * r.s / r.count)
        ):
            self._judge(now, r)

    def lost(self) -> None:
        """A request ended without an answer that could be timed."""
        self._in_flight -= 1
        self._round.lost += 1

    def busy(self, now: float) -> None:
        """The server refused for lack of capacity: of n in flight those that it has no room for."""
        if not self._refused:
            self._refused_from, self._answers = now, 0
        self._refused += 1
        if now - self._refused_from < self._latency or self._refused < 4:
            return
        share = self._refused / (self._refused + self._answers + 16)  # few prove little
        self._refused = 0
        if share > STRAY:
            self._hold = HOLD
            self._step = 0.0
            self._before = None
            self._set(now, max(0.5, 1 - share) * self._exact)

    def observe(self, now: float, load: ServerLoad) -> None:
        self._load_at = now
        if self._in_flight > self.limit:
            return  # the last cut is not through yet
        running = max(1, load.running)
        added = max(1.0, ADDED * running)
        if load.waiting > 0:
            n = self._exact if self._was_full else min(self._exact, float(max(1, self._in_flight)))
            keep = running / (running + load.waiting)
            self._step = 0.0
            self._set(now, n * max(HARDEST_CUT, min(1.0, keep)) + added)
        elif self._was_full:
            self._step = max(self._step, added)
            self._grow(now)

    # What follows

    def _size(self, r: _Round) -> float:
        n = min(r.peak, self.limit)
        return max(4, n, min(3 * n, 24), min(MOST_ANSWERS, 6 * n, (self._noise / PRECISION) ** 2))

    def _allowance(self, n: float) -> float:
        return max(0.6, 0.03 * n + 0.15 * math.sqrt(n))

    def _overrun(self, now: float, r: _Round) -> None:
        """Answers a second, times what the first ones took; these were rather the quick ones, so a little more."""
        assert r.first is not None
        rate = (r.count - FIRST) / max(now - r.first_at, 1e-9)
        knee = min(self._exact, rate * r.first.seconds)
        self._cold, self._suspect = False, True
        self._step = 0.25 * knee
        self._set(now, 1.25 * knee)

    def _judge(self, now: float, r: _Round) -> None:
        """The round is over: what it shows, and the limit of the next."""
        self._spread = _Spread(r, self._spread)
        pace = r.pace(min(self.limit, r.peak), self._spread)
        self._latency, self._was_full = pace.seconds, r.full
        cold, self._cold = self._cold, False
        self._round = _Round(now, self._in_flight)
        self._rounds += 1
        self._hold -= 1
        before, self._before = self._before, None
        if now - self._load_at < METRICS_FRESH_S:
            self._base = self._floor = None
            self._suspect, self._rungs = True, []  # nobody asks while the metrics last
        elif before is not None:
            self._compare(now, before, pace)
        elif cold and r.first is not None and r.first_share() < 0.8:
            self._suspect = True
            if r.full:  # a burst's mean is half of what it would be at the full limit, plus half of the service
                self._probe(now, replace(pace, seconds=2 * pace.seconds - r.first.seconds, slope=0.0), 0.5)
        else:
            self._steer(now, r, pace)

    def _steer(self, now: float, r: _Round, pace: Pace) -> None:
        base = self._base
        if base is None:
            base = self._base = self._floor = pace
        n, expected = pace.limit, base.expected(pace)
        spread = pace.error * math.sqrt(r.count)
        if pace.seconds <= 1.05 * expected:
            self._noise += 0.3 * (spread - self._noise)
        error = math.hypot(min(spread, self._noise) / math.sqrt(r.count), min(base.error, 0.1))
        if pace.seconds < expected * (1 - 2 * error):
            self._rebase(pace)
        queue = n * max(0.0, 1 - expected / pace.seconds)
        allowance = self._allowance(n) + 2 * error * n
        last, self._last_queue = self._last_queue * n, queue / n
        if queue > 2 * allowance:
            self._step = self._allowance(n)
            self._hold = HOLD
            if queue > 0.3 * n or last > 2 * allowance:
                if queue > 0.15 * n:
                    self._before, self._probing = pace, False
                self._set(now, n - queue + allowance)
        elif not r.full:
            return
        elif self._suspect:
            self._probe(now, pace, 0.5)
        elif self.limit >= self.ceiling:
            return
        elif self._rounds >= PROBE_EVERY:
            self._probe(now, pace, min(0.3, max(0.15, 6 * error)))
        elif queue < 0.5 * allowance:
            self._step = max(self._step, self._allowance(n))
            self._grow(now)
        elif queue < allowance and self._hold <= 0:
            self._step = self._allowance(n)
            self._grow(now)

    def _compare(self, now: float, before: Pace, after: Pace) -> None:
        """What a lower limit did to latency tells a queue from a slow server, and gives a new base."""
        kept = 1 - _believed(1 - after.expected(before) / before.seconds, math.hypot(before.error, after.error))
        fell = _fell(before, after, kept * before.seconds)
        n = before.limit * kept
        if self._suspect:
            self._descend(now, before, after, fell)
            return
        if self._probing:
            if fell > 0.8 or after.slope > 0:  # lengths that do not vary cannot tell a soft knee from a queue
                wrong = self._base is not None and after.expected(before) < 0.85 * self._base.expected(before)
                self._rebase(after)
                if wrong and fell > 0.8:
                    self._suspect, self._rungs = True, [before]
        elif fell < UNMOVED:
            self._suspect, self._rungs = True, [before]
        if self._suspect:
            self._probe(now, after, 0.5)
        else:
            self._set(now, n + self._allowance(n))

    def _descend(self, now: float, before: Pace, after: Pace, fell: float) -> None:
        """One rung of the way down to where no queue is."""
        self._rungs.append(before)
        top, floor = self._rungs[0], self._floor
        higher = floor is not None and after.seconds > CREEP * floor.expected(after)
        if after.limit > 2 and (fell > STILL_FALLS or (higher and 3 * after.limit > top.limit)):
            self._probe(now, after, 0.5)
            return
        if not higher or _fell(top, after, after.expected(top)) < SLOWER:
            self._floor = after
        base = self._rebase(after)
        n = max(rung.limit * min(1.0, base.expected(rung) / rung.seconds) for rung in self._rungs)
        self._suspect, self._rungs = False, []
        self._step = 0.25 * n
        self._set(now, n + self._allowance(n))

    def _rebase(self, pace: Pace) -> Pace:
        if self._floor is not None:
            lowest = self._floor.expected(pace)
            pace = replace(pace, seconds=min(pace.seconds, CREEP * lowest))
            if pace.seconds < lowest:
                self._floor = pace
        self._base = pace
        return pace

    def _probe(self, now: float, pace: Pace, depth: float) -> None:
        self._rounds = 0
        self._before, self._probing = pace, True
        self._set(now, pace.limit * (1 - depth))

    def _grow(self, now: float) -> None:
        self._set(now, self._exact + min(self._step, self._exact))
        self._step *= 2

    def _set(self, now: float, limit: float) -> None:
        self._exact = max(1.0, min(float(self.ceiling), limit))
        new = round(self._exact)
        if new < self.limit:
            self._settling = True
        self.limit = new
        self._round = _Round(now, min(self._in_flight, new))


def _fell(before: Pace, after: Pace, seconds: float) -> float:
    """How far latency followed the limit down from `before` to `seconds`, as a power of it: 1 fully, 0 not at all."""
    if after.limit >= before.limit:
        return 0.0
    return math.log(before.seconds / max(seconds, 1e-9)) / math.log(before.limit / after.limit)
