"""The account of the specification: entries that fill, targets and exits that close them, the rows of the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gpubt.simulate import layout as k
from gpubt.simulate.reference_orders import (
    INF,
    Bars,
    Leg,
    Levels,
    Position,
    Rung,
    carry,
    commission,
    level,
    liquidation,
    lots,
    size,
    slipped,
)


class Account:
    """Equity, the open position and the ledger of one simulation.

    `alone`: one entry only, sized from the starting capital (positions=list and overlapping). `log`, if given, is told of every event:
    bar, name, numbers.
    """

    def __init__(
        self,
        bars: Bars,
        levels: Levels,
        rungs: Sequence[Any],
        p: Any,
        alone: bool = False,
        log: Callable[[int, str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.bars, self.levels, self.rungs, self.p, self.alone, self.log = bars, levels, rungs, p, alone, log
        self.n = len(bars)
        self.equity = float(p["capital"])
        self.rows: list[dict[str, Any]] = []
        self.skipped = [0] * len(k.SKIPS)
        self.position: Position | None = None
        self.leaving = False  # an exit was decided at the close before
        self.flat_until = 0  # no signal before this bar acts
        self.positions = 0

    def fill(self, t: int, signal: int, side: int, reference: float, order: int, inside: bool = False, entry: Any = None) -> None:
        """Open a position, or add to it, at the raw price `reference` in bar `t`; a skip is counted when that can't be.

        `entry` has the levels' kinds and values (an ENTRY record with its own `size`; None: the parameters). Limit fills are never moved.
        """
        p, position = self.p, self.position
        entry = p if entry is None else entry
        equity = position.mark(p, self.equity, reference, t) if position else self.equity
        if not equity > 0.0:
            return self.skip(t, k.NO_EQUITY)
        slides = order in (k.MARKET, k.STOP_ORDER)
        price = slipped(p, reference, side, self.at("atr", t)) if slides else reference
        levels = (position.stop, []) if position else self.levels_of(entry, side, signal, price)
        if levels is None or math.isnan(price):
            return self.skip(t, k.NAN_LEVEL)
        stop, targets = levels
        has_stop = entry["stop_kind"] != k.NONE
        if has_stop and p["size_kind"] == k.RISK_PERCENT and price == stop:
            return self.skip(t, k.ZERO_RISK)
        if has_stop and not side * (price - stop) > 0.0 and not p["beyond_stop"]:
            return self.skip(t, k.WRONG_SIDE)
        units = self.units(entry, equity, price, side * (price - stop), position.held() if position else 0.0)
        if not units > 0.0:
            return self.skip(t, k.ZERO_SIZE)
        risk = side * (price - stop) if has_stop and side * (price - stop) > 0.0 else math.nan
        at_open = not inside and not (p["order"] == k.MARKET and p["entry_at"] == k.AT_CLOSE)
        leg = Leg(t, price, units, commission(p, units, price), risk, t if at_open and not p["exposed_later"] else t + 1, inside)
        if position:
            position.legs.append(leg)
        else:
            position = self.position = self.opened(side, leg, stop, targets, self.at("atr", signal))
        position.liquidation = self.liquidation_of(position)
        rungs = [target.level for target in position.targets]
        self.tell(t, "entry", side=side, reference=reference, price=price, units=units, stop=stop, targets=rungs)

    def levels_of(self, entry: Any, side: int, signal: int, price: float) -> tuple[float, list[tuple[float, Any]]] | None:
        """The initial stop and the targets (level, its rung or None) of an entry at `price`; None when one of them is NaN, or ATR where
        it is needed."""
        p, atr = self.p, self.at("atr", signal)
        name = "long" if side > 0 else "short"
        anchor = price if p["anchor"] == k.ANCHOR_FILL else self.bars.close[signal]
        given: list[tuple[int, float, Any]] = [(rung["kind"], rung["value"], rung) for rung in self.rungs]
        if entry["target_kind"] != k.NONE or not given:
            given = [(entry["target_kind"], entry["target_value"], None)] if entry["target_kind"] != k.NONE else []
        if k.ATR in (entry["stop_kind"], p["trail_kind"], p["even_kind"], *(kind for kind, _, _ in given)) and math.isnan(atr):
            return None
        stop = level(entry["stop_kind"], entry["stop_value"], anchor, -side, atr, 0.0, self.at(f"{name}_stop", signal))
        risk, rule = side * (anchor - stop), self.at(f"{name}_target", signal)
        targets = [(level(kind, value, anchor, side, atr, risk, rule), rung) for kind, value, rung in given]
        return None if math.isnan(stop) or any(math.isnan(price) for price, _ in targets) else (stop, targets)

    def units(self, entry: Any, equity: float, price: float, distance: float, held: float) -> float:
        """Units of an entry: its own size or as `sizing` says, at most what leverage allows (with the account checked), in whole lots."""
        p, own = self.p, entry.get("size", math.nan)
        units = size(p, equity, price, distance) if math.isnan(own) else own
        cap = (p["max_leverage"] * equity) / price - held
        if not self.alone and units > cap:
            units = cap
        return lots(p, units)

    def opened(self, side: int, leg: Leg, stop: float, targets: Sequence[tuple[float, Any]], atr: float) -> Position:
        """A new position with its first leg."""
        p, price = self.p, leg.price
        rungs = [Rung(target, INF if rung is None or rung["rest"] else lots(p, rung["share"] * leg.units)) for target, rung in targets]
        position = Position(side, [leg], stop, rungs, extreme=price)
        position.trail = p["trail_value"] * atr if p["trail_kind"] == k.ATR else p["trail_value"]
        position.trail_from = level(p["trail_kind"], p["trail_activation"], price, side, atr, 0.0)
        position.even_from = level(p["even_kind"], p["even_value"], price, side, atr, leg.risk)
        position.even = price * (1.0 + side * p["even_plus"])
        return position

    def liquidation_of(self, position: Position) -> float:
        """Where the position is liquidated, infinitely far if never."""
        return liquidation(self.p, position, self.equity) if self.p["liquidate"] and not self.alone else -position.side * INF

    def fill_targets(self, t: int, reach: float, price: float | None) -> None:
        """The targets that `reach` touches fill, in their order, at `price` (None: each at its level)."""
        position = self.position
        assert position is not None
        for _ in range(position.touched(reach)):
            rung, leg = position.targets.pop(0), position.legs[0]
            fill = rung.level if price is None else price
            if not rung.units < leg.units:
                self.close(t, fill, k.TARGET)
                return
            if rung.units > 0.0:
                fees = leg.fees * (rung.units / leg.units)
                self.book(t, leg, rung.units, fees, fill, k.TARGET)
                leg.units, leg.fees = leg.units - rung.units, leg.fees - fees
                position.liquidation = self.liquidation_of(position)

    def close(self, t: int, reference: float, reason: int) -> None:
        """Close what is open at the raw price `reference`; targets are limit fills."""
        p, position = self.p, self.position
        assert position is not None
        free = reason == k.END_OF_DATA and p["end_free"]
        price = reference if reason == k.TARGET or free else slipped(p, reference, -position.side, self.at("atr", t))
        self.tell(t, "closing", reference=reference, price=price, reason=reason)
        for leg in position.legs:
            self.book(t, leg, leg.units, leg.fees, price, reason)
        self.rows += position.rows
        self.position, self.leaving = None, False
        self.positions += 1
        self.flat_until = t + p["cooldown"]
        if reason != k.SIGNAL and not p["reentry"] and not p["cooldown"]:
            self.flat_until = t + 1

    def book(self, t: int, leg: Leg, units: float, entry_fees: float, price: float, reason: int) -> None:
        """The ledger row of `units` of `leg` closed in bar `t` at `price`."""
        p, position = self.p, self.position
        assert position is not None
        side, entry = position.side, leg.price
        exit_fees = 0.0 if reason == k.END_OF_DATA and p["end_free"] else commission(p, units, price)
        accrued = ((carry(p, side) * units) * entry) * (t - leg.bar)
        pnl = (((side * units) * (price - entry) - entry_fees) - exit_fees) - accrued
        shortfall = 0.0
        if p["liquidate"] and not self.alone and pnl < -self.equity:
            shortfall, pnl = -self.equity - pnl, -self.equity
        low, high = min(leg.low, price), max(leg.high, price)
        against, favourable = (low, high) if side > 0 else (high, low)
        row = {
            "entry_bar": leg.bar,
            "exit_bar": t,
            "entry_price": entry,
            "exit_price": price,
            "side": k.LONG if side > 0 else k.SHORT,
            "units": units,
            "entry_fees": entry_fees,
            "fees": entry_fees + exit_fees,
            "accrued": accrued,
            "shortfall": shortfall,
            "pnl": pnl,
            "pnl_pct": pnl / (units * entry),
            "r_multiple": pnl / (units * leg.risk),
            "mae": min(0.0, side * (against - entry) / entry),
            "mfe": max(0.0, side * (favourable - entry) / entry),
            "reason": reason,
            "ambiguous": int(position.ambiguous),
            "position": self.positions,
            "leg": len(position.rows),
        }
        position.rows.append(row)
        self.equity += pnl
        self.tell(t, "exit", **row)

    def at(self, name: str, t: int) -> float:
        """A series of `layout.LEVELS` at bar `t`, NaN where there is none."""
        return float(self.levels[name][t]) if name in self.levels else math.nan

    def skip(self, t: int, code: int) -> None:
        """Count a signal that gave no entry."""
        self.skipped[code] += 1
        self.tell(t, "skipped", reason=k.SKIPS[code])

    def tell(self, t: int, event: str, **numbers: Any) -> None:
        """Log an event."""
        if self.log:
            self.log(t, event, numbers)
