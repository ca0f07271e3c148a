"""Prints a receipt for a basket."""

from basket import Basket


def euros(cents: int) -> str:
    """Cents as euros: 1250 -> '12.50 EUR'."""
    return f"{cents // 100}.{cents % 100:02d} EUR"


def receipt(basket: Basket) -> str:
    """One line per item with quantity, name and price, then the total."""
    lines = []
    for item in basket.items:
        lines.append(f"{item.quantity} x {item.name}: {euros(item.price)}")
    lines.append(f"Total: {euros(basket.total())}")
    return "\n".join(lines)
