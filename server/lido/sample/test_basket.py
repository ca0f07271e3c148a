import unittest

from basket import Basket


class BasketTest(unittest.TestCase):
    def test_total_of_single_pieces(self):
        basket = Basket()
        basket.add("bread", 350)
        basket.add("milk", 120)
        self.assertEqual(basket.total(), 470)

    def test_total_counts_quantities(self):
        basket = Basket()
        basket.add("apple", 50, quantity=3)
        self.assertEqual(basket.total(), 150)

    def test_count_counts_pieces(self):
        basket = Basket()
        basket.add("apple", 50, quantity=3)
        self.assertEqual(basket.count(), 3)


if __name__ == "__main__":
    unittest.main()
