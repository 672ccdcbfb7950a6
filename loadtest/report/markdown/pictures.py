"""The charts of a Markdown page, which are files beside it."""

from __future__ import annotations

from urllib.parse import quote

from loadtest.report.charts.chart import Chart, svg
from loadtest.report.markdown.markup import Markdown, escape


class Pictures:
    """Gathers the charts that a page shows, to be written beside it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._charts: dict[str, Chart] = {}

    def image(self, chart: Chart | None) -> Markdown:
        """Return a chart as an image, its description for those who cannot see it."""
        if chart is None:
            return Markdown("")
        file = f"{chart.name}.svg"
        if self._charts.setdefault(file, chart) is not chart:
            raise ValueError(f"two charts are called {file}")
        return Markdown(f"![{escape(f'{chart.title}: {chart.description}')}]({quote(file)})")

    def files(self) -> dict[str, str]:
        """Return the images that were shown, by their files' names."""
        return {file: svg(chart) for file, chart in self._charts.items()}
