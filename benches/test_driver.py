"""What the driver must not get wrong: which runs count, and what is made of them. `python3 -m unittest` in this folder."""

import unittest

from driver.cells import LARGE, SMALL, Cell
from driver.measure import Row
from driver.run import Expected, Failure, Run, check
from driver.runners import Runner
from driver.table import number, render

GOOD = {"messages": 3, "recipients": 3, "bytes": 30, "refusals": 0, "digest": "8000000000000001"}
EXPECTED = Expected(10, 0x8000000000000001 * pow(3, -1, 2**64) % 2**64)


def row(name: str, level: str, rates: list[float], **flags) -> Row:
    made = Row(Runner(name, level, lambda job: [], **flags), least=Run(1, 10, 0.0, 1, 500, 1000))
    made.runs = [Run(100, 10, 100 / rate, 200, 10_400, 2000) for rate in rates]
    return made


class Checks(unittest.TestCase):
    def test_a_good_run(self):
        check(GOOD, 3, EXPECTED)

    def test_each_way_to_fail(self):
        for change in ({"messages": 2}, {"messages": 4}, {"recipients": 2}, {"bytes": 31}, {"refusals": 1}, {"digest": "0" * 16}):
            with self.assertRaises(Failure, msg=str(change)):
                check(GOOD | change, 3, EXPECTED)


class Rows(unittest.TestCase):
    def test_medians(self):
        made = row("x", "none", [10.0, 1000.0, 20.0])
        self.assertAlmostEqual(made.rate, 20)
        self.assertAlmostEqual(made.spread, 49.5)
        self.assertAlmostEqual(made.round_trips, 2)
        self.assertAlmostEqual(made.cpu_us, 100)
        self.assertAlmostEqual(made.peak_mb, 2.048)

    def test_no_cpu_time_where_starting_is_most_of_it(self):
        made = row("x", "none", [10.0])
        made.least = Run(1, 10, 0.0, 1, 6000, 1000)
        self.assertIsNone(made.cpu_us)


class Tables(unittest.TestCase):
    def test_compared_with_the_limit_of_its_level(self):
        rows = [row("limit, none", "none", [100.0]), row("limit, session", "session", [400.0]), row("x", "none", [50.0])]
        text = render(Cell(SMALL, 1, 0), rows)
        self.assertIn("| x | none | 50.0 | 0% | 50% | 2.00 | 100 | 2.0 |", text)

    def test_a_failure_is_shown(self):
        failed = row("x", "none", [])
        failed.failure = "the content was changed on the way"
        self.assertIn("| x | none | failed: the content was changed on the way |", render(Cell(LARGE, 1, 0), [failed]))

    def test_numbers(self):
        for value, text in (0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (98_765.0, "98\u202f800"), (1_234_567.0, "1\u202f230\u202f000"):
            self.assertEqual(number(value), text)


if __name__ == "__main__":
    unittest.main()
