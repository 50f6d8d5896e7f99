"""Every kind of backend there is: its module, and the extra that brings its library."""

from dataclasses import dataclass
from importlib import import_module

from adapters.base import ImsAdapter, Options
from adapters.errors import Misconfigured, MissingExtra


@dataclass(frozen=True, slots=True)
class Plugin:
    """`module` holds a class `Adapter`; `extra` is what `pip install netweave[...]` needs, or '' for none."""

    module: str
    extra: str = ""


IMS = {
    "k8s": Plugin("adapters.ims.kubernetes"),
    "kubernetes": Plugin("adapters.ims.kubernetes"),
    "mock": Plugin("adapters.ims.memory"),
    "openshift": Plugin("adapters.ims.openshift"),
}


def ims_adapter(kind: str, options: Options) -> ImsAdapter:
    """The adapter of `kind`, not connected. Raises `Misconfigured` for an unknown kind, `MissingExtra` for
    a missing library."""
    plugin = IMS.get(kind)
    if plugin is None:
        raise Misconfigured(
            options.name, f"this release has no backend of type {kind!r}; it has {', '.join(IMS)}"
        )
    try:
        adapter: ImsAdapter = import_module(plugin.module).Adapter(options)
    except ImportError as error:
        if not plugin.extra:
            raise
        raise MissingExtra(options.name, plugin.extra) from error
    return adapter
