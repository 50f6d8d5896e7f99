"""Networks in a form of the admin site: one a line."""

from typing import Any

from django import forms

from tenancy import networks


class NetworksField(forms.CharField):
    """A tenant's networks. What is no such network is told with its line."""

    widget = forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4})

    def prepare_value(self, value: Any) -> Any:
        """As lines; what was typed, as it was."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The list of them. Raises `ValidationError` for every line that is wrong."""
        lines = [line.strip() for line in str(value or "").splitlines() if line.strip()]
        if len(lines) > networks.MOST:
            raise forms.ValidationError(f"There may be at most {networks.MOST} networks.")
        found, wrong = [], []
        for line in lines:
            try:
                found.append(networks.network(line))
            except ValueError as error:
                wrong.append(f"{line[:60]} {error}.")
        if wrong:
            raise forms.ValidationError(wrong)
        return networks.distinct(found)
