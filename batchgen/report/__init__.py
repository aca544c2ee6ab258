"""What people look at: the gallery page of a dataset, and its contact sheets.

``contents`` reads the dataset's files, ``thumbs`` makes small pictures, ``headline``, ``figures``
and ``timeline`` turn rows into words and plots, ``html`` puts them on the page with the files of
the folder ``page``, ``writing`` does all of it; ``sheets`` draws contact sheets.

::

    from batchgen.report import write_report, write_sheets

    print(write_report("out/sample").page)
    print(write_sheets("out/sample"))
"""

from batchgen.report.sheets import write_sheets
from batchgen.report.writing import Report, write_report

__all__ = ["Report", "write_report", "write_sheets"]
