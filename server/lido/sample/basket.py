"""A shopping basket. Prices are whole cents."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: int
    quantity: int = 1


@dataclass
class Basket:
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, price: int, quantity: int = 1) -> None:
        """Puts an item into the basket."""
        self.items.append(Item(name, price, quantity))

    def total(self) -> int:
        """What the basket costs, in cents."""
        return sum(item.price for item in self.items)

    def count(self) -> int:
        """How many pieces are in the basket."""
        return len(self.items)
