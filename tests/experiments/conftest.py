"""Whatever an experiment of a test reports, every column of its tables is explained."""

import sys

import pytest

from lmi.report.page import columns_of
from lmi.results import Result


def unexplained(result):
    """Columns of tables without a line in the legend; a column without a name holds the names of rows."""
    return sorted({name for rows in result.tables.values() for name in columns_of(rows)} - {*result.legend, ""})


@pytest.fixture(scope="session", autouse=True)
def every_column_is_explained():
    """Refuse any result that the code of an experiment builds with a column that its report would not explain."""
    build = Result.__init__

    def checked(self, *args, **kwargs):
        build(self, *args, **kwargs)
        if sys._getframe(1).f_globals["__name__"].startswith("lmi.experiments"):
            assert unexplained(self) == [], f"{self.experiment}: columns without a legend"

    Result.__init__ = checked
    yield
    Result.__init__ = build
