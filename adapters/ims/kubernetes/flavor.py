"""How large one machine of a set is, as the set's annotations say: those that autoscalers read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from adapters.ims.kubernetes.quantity import quantity
from adapters.types import Footprint

#: OpenShift's, in cores and MiB; Cluster API's (and OpenShift's too), as quantities.
_VCPU, _MEMORY_MB = "machine.openshift.io/vCPU", "machine.openshift.io/memoryMb"
_CPU, _MEMORY = (f"capacity.cluster-autoscaler.kubernetes.io/{name}" for name in ("cpu", "memory"))
_GIB = 1024**3
#: No machine is as large as this, in either.
MOST = 10**6


@dataclass(frozen=True, slots=True)
class Flavor:
    """CPU in cores, memory in GB (2^30 bytes)."""

    cpu_cores: float
    memory_gb: float

    @classmethod
    def of(cls, annotations: Mapping[str, Any]) -> Self | None:
        """What they say; None unless they say both, in numbers that can be meant."""
        try:
            if _CPU in annotations and _MEMORY in annotations:
                size = float(quantity(annotations[_CPU])), float(quantity(annotations[_MEMORY]) / _GIB)
            elif _VCPU in annotations and _MEMORY_MB in annotations:
                size = float(annotations[_VCPU]), float(annotations[_MEMORY_MB]) / 1024
            else:
                return None
        except (ValueError, TypeError):
            return None
        return cls(*size) if all(0 < amount < MOST for amount in size) else None

    def annotations(self) -> Mapping[str, str]:
        """What says so, on a set that we make."""
        return {_CPU: f"{self.cpu_cores:g}", _MEMORY: f"{self.memory_gb * 1024:.0f}Mi"}

    def times(self, replicas: int, *, pools: int = 0) -> Footprint:
        """What so many machines take, in so many new pools."""
        return Footprint(
            pools=pools,
            resources=replicas,
            cpu_cores=self.cpu_cores * replicas,
            memory_gb=self.memory_gb * replicas,
        )
