"""Whom the entries of a source mean: a plan of what to create and change, before anything is.

An entry means the contact that it was before (by the source's own id), else the one that has any of
its numbers, else, if that is asked for, the one that has its e-mail address. What would mean two
contacts means none of them: it is left out and reported, for a person to join them or to correct a
number. Two entries of one source are two people, also if they share a number: who has it keeps it,
and the other is made without.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pbx_bridge.core.contact import NOBODY, Contact
from pbx_bridge.core.merge import Conflict, Key, differing, flat, merge, number_key
from pbx_bridge.core.origin import CALL, FILE, Origin, Standing
from pbx_bridge.core.told import Field, Statement, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry, and what it makes of a contact; `row_id` is None for a new one."""

    row_id: int | None
    contact: Contact
    origin: Origin
    changed: tuple[Key, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    by_email: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that is left out, and why."""

    line: int
    who: str
    why: str
    rows: tuple[int, ...] = ()  #: contacts that it may mean


@dataclass(frozen=True, slots=True)
class Gone:
    """An entry that its source has no more; the contact goes too if nobody else spoke of it."""

    row_id: int
    uid: str
    removes: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reading of a source leads to."""

    source: str
    steps: tuple[Step, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    gone: tuple[Gone, ...] = ()

    @property
    def created(self) -> list[Step]:
        return [step for step in self.steps if step.row_id is None]

    @property
    def changed(self) -> list[Step]:
        return [step for step in self.steps if step.row_id is not None and step.changed]

    @property
    def conflicts(self) -> list[tuple[Step, Conflict]]:
        return [(step, conflict) for step in self.steps for conflict in step.conflicts]


def plan(
    source: str,
    told: Sequence[Told],
    known: Iterable[Standing],
    *,
    gone: Collection[str] = (),
    by_email: bool = False,
) -> Plan:
    """Plan what the entries of a source lead to.

    `known` has at least all contacts that the entries may mean; `gone` are ids of entries that the
    source does not have any more.
    """
    table = _Table(source, known, {one.uid for one in told}, frozenset(gone))
    once: dict[str, Told] = {}
    skipped: list[Skipped] = []
    pending: list[Told] = []
    for one in told:
        if one.uid and one.uid in once:
            skipped.append(Skipped(one.line, _who(one), _twice(once[one.uid].line)))
            continue
        once[one.uid] = one
        pending.append(one)
    _release(table, pending)
    moved = [one for one in pending if table.was_moved(one)]
    steps, _ = _steps(table, moved, by_email=by_email)
    missing = tuple(table.forget_gone())
    done = {id(one) for one, _ in steps}
    more, left = _steps(table, [o for o in pending if id(o) not in done], by_email=by_email)
    return Plan(
        source,
        tuple(step for _, step in (*steps, *more)),
        tuple(sorted((*skipped, *left), key=lambda one: one.line)),
        missing,
    )


def _steps(
    table: "_Table", pending: Sequence[Told], *, by_email: bool
) -> tuple[list[tuple[Told, Step]], list[Skipped]]:
    """Find whom entries mean, as long as that becomes clear for one more of them."""
    steps: list[tuple[Told, Step]] = []
    while True:
        made = [(one, _step(table, one, by_email=by_email)) for one in pending]
        steps += [(one, step) for one, step in made if isinstance(step, Step)]
        left = [step for _, step in made if isinstance(step, Skipped)]
        if len(left) == len(pending):
            return steps, left
        # Whom the others mean may be clear now that these have found theirs.
        pending = [one for one, step in made if isinstance(step, Skipped)]


def _release(table: "_Table", told: Iterable[Told]) -> None:
    """Let contacts give up the numbers that their entries have no more, before others ask for them.

    Two people may have changed numbers with each other; nothing must depend on the order.
    """
    for one in told:
        target = table.of_uid(one.uid) if one.uid else None
        if target is None:
            continue
        kept = {n: v for n, v in one.said.contact.numbers.items() if n in target.contact.numbers}
        said = replace(one.said, contact=replace(one.said.contact, numbers=kept))
        table.put(_merged(table, target, replace(one, said=said), one.uid))


def called(standing: Standing | None, number: str, name: str) -> Step | None:
    """Plan what a caller ID leads to: a contact, or a name for one that has none.

    `name` is as fit to be one (`core.variables.caller_name`). It is a suggestion: any source that
    tells a name replaces it, and it replaces nothing itself. None if there is nothing to do.
    """
    fields = frozenset({Field.NAME, Field.NUMBERS})
    said = Statement(Contact(name=name, numbers={number: ""}), fields)
    origin = Origin(source=CALL, uid=number, said=said)
    if standing is None:
        changed = tuple(sorted(flat(said.contact)))
        return Step(row_id=None, contact=said.contact, origin=origin, changed=changed)
    if not name or standing.contact.name or Field.NAME in standing.edited:
        return None
    named = replace(standing.contact, name=name)
    return Step(row_id=standing.row_id, contact=named, origin=origin, changed=(Field.NAME,))


class _Table:
    """Who has which id, number and address, while the plan is made."""

    def __init__(
        self, source: str, known: Iterable[Standing], told: Collection[str], gone: frozenset[str]
    ) -> None:
        self.source = source
        self.standings = {standing.row_id: standing for standing in known}
        self._gone = gone
        self._there = set(told)
        self._new = 0
        #: What each entry said last, and each contact was when it was last planned for.
        self._last: dict[str, Origin] = {}
        self.stood = {row: standing.contact for row, standing in self.standings.items()}
        self._by_uid: dict[str, int] = {}
        self._by_number: dict[str, int] = {}
        self._by_email: dict[str, set[int]] = {}
        for standing in self.standings.values():
            self._enter(standing)
            self._last |= {o.uid: o for o in standing.origins if o.source == source}

    def _enter(self, standing: Standing) -> None:
        row = standing.row_id
        self._by_uid |= {o.uid: row for o in standing.origins if o.source == self.source}
        self._by_number |= dict.fromkeys(standing.contact.numbers, row)
        if standing.contact.email:
            self._by_email.setdefault(standing.contact.email, set()).add(row)

    def put(self, step: Step) -> int:
        """Take a step for made: later entries find what it leads to. Give the contact's row."""
        self._there.add(step.origin.uid)
        row = step.row_id
        if row is None:
            self._new -= 1  # row ids of what is not there yet
            row = self._new
            self.standings[row] = Standing(row_id=row, contact=NOBODY)
        before = self.standings[row]
        for number in before.contact.numbers.keys() - step.contact.numbers.keys():
            del self._by_number[number]
        rest = [o for o in before.origins if (o.source, o.uid) != (self.source, step.origin.uid)]
        after = replace(before, contact=step.contact, origins=(*rest, step.origin))
        self.standings[row] = after
        self._enter(after)
        return row

    def last(self, standing: Standing, uid: str) -> Origin | None:
        """Give what an entry said about a contact before this reading, perhaps by another id."""
        if standing.origin(self.source, uid) is not None:
            return self._last.get(uid)
        moved = (o for o in standing.origins if o.source == self.source and o.uid in self._gone)
        return next(moved, None)

    def of_uid(self, uid: str) -> Standing | None:
        row = self._by_uid.get(uid)
        return None if row is None else self.standings[row]

    def holder(self, number: str) -> Standing | None:
        row = self._by_number.get(number)
        return None if row is None else self.standings[row]

    def with_email(self, email: str) -> list[Standing]:
        return [self.standings[row] for row in sorted(self._by_email.get(email, ()))]

    def is_another_entry(self, standing: Standing, uid: str) -> bool:
        """Tell whether a contact is what another entry of this very source means."""
        return any(
            origin.source == self.source and origin.uid != uid and self._is_there(origin.uid)
            for origin in standing.origins
        )

    def _is_there(self, uid: str) -> bool:
        # Of files it is not known what else they have: an id from an earlier one may be outdated.
        return uid in self._there or (self.source != FILE and uid not in self._gone)

    def was_moved(self, one: Told) -> bool:
        """Tell whether an entry has a number of one that is gone: it has a new id perhaps."""
        if one.uid and one.uid in self._by_uid:
            return False
        holders = [standing for n in one.said.contact.numbers if (standing := self.holder(n))]
        return any(
            origin.source == self.source and origin.uid in self._gone
            for standing in holders
            for origin in standing.origins
        )

    def forget_gone(self) -> Iterable[Gone]:
        """Forget the entries that are gone, and the contacts that nobody else spoke of."""
        for uid in sorted(self._gone - self._there):
            standing = self.of_uid(uid)
            if standing is None:
                continue
            left = [o for o in standing.origins if (o.source, o.uid) != (self.source, uid)]
            self.standings[standing.row_id] = replace(standing, origins=tuple(left))
            alone = not standing.edited and all(o.source == CALL for o in left)
            if alone:
                for number in standing.contact.numbers:
                    del self._by_number[number]
                self._by_email.get(standing.contact.email, set()).discard(standing.row_id)
            yield Gone(standing.row_id, uid, removes=alone)


def _step(table: _Table, told: Told, *, by_email: bool) -> Step | Skipped:
    contact = told.said.contact
    target = table.of_uid(told.uid) if told.uid else None
    matched_by_email = False
    if target is None:
        found = [standing for number in contact.numbers if (standing := table.holder(number))]
        means = _others(table, told, found)
        if not means and by_email and contact.email:
            means = _others(table, told, table.with_email(contact.email))
            matched_by_email = bool(means)
        if len(means) > 1:
            what = "its address belongs" if matched_by_email else "its numbers belong"
            names = " and ".join(f"{s.contact.name or 'no name'} ({s.row_id})" for s in means)
            why = f"{what} to {len(means)} contacts: {names}"
            return Skipped(told.line, _who(told), why, tuple(s.row_id for s in means))
        target = means[0] if means else None
    taken = [
        (number, holder)
        for number in contact.numbers
        if (holder := table.holder(number)) and holder is not target
    ]
    left = {n: label for n, label in contact.numbers.items() if n not in dict(taken)}
    if target is None and not left and not contact.email:
        why = "neither a number nor an e-mail address"
        if taken:
            names = ", ".join(f"{n} is {_whose(holder)}" for n, holder in taken)
            why = f"another contact has its number: {names}"
        return Skipped(told.line, _who(told), why)
    said = replace(told.said, contact=replace(contact, numbers=left))
    uid = told.uid or _uid(said.contact, table, target)
    step = _merged(table, target, replace(told, said=said), uid)
    edited = frozenset() if target is None else target.edited
    refused = [
        Conflict(number_key(number), None, contact.numbers[number], _whose(holder))
        for number, holder in taken
        if number_key(number) not in edited
    ]
    before = NOBODY if target is None else table.stood[target.row_id]
    step = replace(
        step,
        changed=differing(before, step.contact),
        conflicts=(*step.conflicts, *refused),
        # Without its ETag the entry is read again the next time: the number may be free then.
        origin=replace(step.origin, etag="") if refused else step.origin,
        by_email=matched_by_email,
    )
    table.stood[table.put(step)] = step.contact
    return step


def _merged(table: _Table, target: Standing | None, told: Told, uid: str) -> Step:
    here = target or Standing(row_id=0, contact=NOBODY)
    last = table.last(here, uid)
    own = here.origin(table.source, uid) or last
    merged = merge(
        told.said,
        last.said if last else None,
        here.contact,
        edited=here.edited,
        suggested=here.suggested,
        others=[o.said for o in here.origins if o is not own and _is_another(o, table.source)],
    )
    # What it told in an earlier reading and is silent about now is not forgotten.
    said = _together(last.said, told.said) if last else told.said
    return Step(
        row_id=None if target is None else target.row_id,
        contact=merged.contact,
        origin=Origin(source=table.source, uid=uid, etag=told.etag, said=said),
        changed=merged.changed,
        conflicts=merged.conflicts,
        line=told.line,
    )


def _is_another(origin: Origin, source: str) -> bool:
    """Tell whether an origin has a say of its own; all files are one source, the last counts."""
    return not origin.source == source == FILE


def _others(table: _Table, told: Told, found: Iterable[Standing]) -> list[Standing]:
    """Give each contact once, without those that other entries of the source mean."""
    once = {standing.row_id: standing for standing in found}
    return [s for s in once.values() if not table.is_another_entry(s, told.uid)]


def _together(before: Statement, now: Statement) -> Statement:
    """Give all that a source told, the later word counting."""
    missing = before.fields - now.fields
    if not missing:
        return now
    values = {field.value: getattr(before.contact, field) for field in missing}
    return Statement(replace(now.contact, **values), before.fields | now.fields)


def _uid(contact: Contact, table: _Table, target: Standing | None) -> str:
    """Make an id for an entry that has none: it is known by a number or address of it."""
    ids = [f"tel:{number}" for number in sorted(contact.numbers)]
    ids += [f"mailto:{contact.email}"] if contact.email else []
    known = [uid for uid in ids if target is not None and target.origin(table.source, uid)]
    return (known or ids)[0]


def _who(told: Told) -> str:
    contact = told.said.contact
    return contact.name or contact.company or contact.email or next(iter(contact.numbers), "")


def _whose(standing: Standing) -> str:
    name = standing.contact.name or standing.contact.company or "another contact"
    return f"the number of {name}" + (f" ({standing.row_id})" if standing.row_id > 0 else "")


def _twice(line: int) -> str:
    return f"told twice; see line {line}" if line else "told twice"
