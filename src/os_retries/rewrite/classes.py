"""The attributes of classes and instances: inherited, defined by subclasses, or delegated by __getattr__."""

from __future__ import annotations

from os_retries.rewrite import services
from os_retries.rewrite.functions import Functions
from os_retries.rewrite.values import NOTHING, UNKNOWN, Bound, Client, Ref, Value, below_client

_NOT_YET = ""  # in an ancestry: bases that are not known yet


class Classes(Functions):
    """The facts about classes."""

    def ancestry(self, cls: str) -> list[str]:
        """Return the names of `cls` and its bases, nearest first, including bases from outside the program."""
        if known := self._ancestries.get(cls):
            for name in known:
                if name in self.classes:
                    self.get(("bases", name))
            return known
        order = self._ancestries[cls] = []
        todo = [cls]
        while todo:
            current = todo.pop(0)
            if current in order:
                continue
            order.append(current)
            if current in self.classes:
                bases = sorted(a.name for a in self.get(("bases", current)) if isinstance(a, Ref))
                todo += bases or [_NOT_YET] * bool(self.classes[current].node.bases)
        return order

    def link(self, cls: str, base: str) -> None:
        """Record that `cls` extends `base`, and that its attributes are attributes of a subclass of `base`."""
        above = {base, *self.classes[base].above}
        for name in (cls, *self.classes[cls].below):
            under = self.classes[name]
            new = above - under.above - {name}
            under.above |= new
            for ancestor in new:
                self.classes[ancestor].below.add(name)
                for attribute in under.attributes:
                    self.add(("below", ancestor, attribute), self._state[("attr", name, attribute)])

    def base_client(self, cls: str) -> Client | None:
        """Return the client if `cls` extends the class of one, so that its instances are clients."""
        for name in self.ancestry(cls):
            if client := self.declared(name):
                return client
            if name not in self.classes and (service := services.constructor(name)):
                return Client(service)
        return None

    def class_attribute(self, cls: str, name: str) -> Value:
        """Read an attribute from the class itself."""
        value, _ = self._inherited(self.ancestry(cls), name)
        return frozenset(
            Bound(atom.name, cls)
            if isinstance(atom, Ref) and (f := self.functions.get(atom.name)) and f.kind == "class"
            else atom
            for atom in value
        )

    def _inherited(self, ancestry: list[str], name: str) -> tuple[Value, str]:
        """Return the value of `name` up to the nearest class that binds it, and the name of that class."""
        value = NOTHING
        for ancestor in ancestry:
            if ancestor not in self.classes:
                if ancestor == _NOT_YET:
                    return value, ancestor
                continue
            value |= self.get(("attr", ancestor, name))
            if name in self.classes[ancestor].binds():
                return value, ancestor
        return value, ""

    def instance_attribute(self, cls: str, name: str, *, skip_own: bool = False) -> Value:
        """Read an attribute from an instance of `cls`, which may also be of a subclass."""
        value = self._seen.get((cls, name, skip_own))
        if value is None:
            value = self._seen[cls, name, skip_own] = self._instance_attribute(cls, name, skip_own=skip_own)
        return value

    def _instance_attribute(self, cls: str, name: str, *, skip_own: bool) -> Value:
        ancestry = self.ancestry(cls)
        value, owner = self._inherited(ancestry[skip_own:], name)
        if not skip_own and not (owner in self.classes and self.classes[owner].binds()[name]):
            value |= self.get(("below", cls, name))  # no class above binds the name, or one only declares it
        out = NOTHING
        for atom in value:
            out |= self._bind(atom, cls)
        if owner:
            return out or self.at_a_loss()
        if client := self.base_client(cls):
            return out | {below_client(client.service, client.path, name)}
        return out or self._delegated(ancestry, name) or self.at_a_loss()

    def _delegated(self, ancestry: list[str], name: str) -> Value:
        """Return attribute `name` of an instance whose __getattr__ delegates to a client."""
        value = NOTHING
        if not self.get(("named", "__getattr__")):
            return value
        for ancestor in ancestry:
            for atom in self.get(("attr", ancestor, "__getattr__")):
                if not isinstance(atom, Ref) or atom.name not in self.functions:
                    continue
                returned = self.returned(atom.name)
                computed = [a for a in returned if isinstance(a, Client) and a.path[-1:] == ("?",)]
                value |= {below_client(a.service, a.path[:-1], name) for a in computed}
                if computed:
                    value |= returned & UNKNOWN
        return value

    def _bind(self, atom: object, cls: str) -> Value:
        function = self.functions.get(atom.name) if isinstance(atom, Ref) else None
        if function is None or function.cls is None or function.kind == "static":
            return frozenset({atom})
        if function.kind == "property":
            return self.call_declared(function.name) or self.returned(function.name)
        return frozenset({Bound(function.name, cls)})
