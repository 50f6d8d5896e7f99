"""OpenShift (type `openshift`): a Kubernetes cluster, read and written as one, whose deployment manager also
says what OpenShift knows of it.

manager    the cluster (uid of the namespace kube-system), with its ClusterVersion, Infrastructure and, where
           there are any, its MachineConfigPools
pool       MachineSet
resource   Node (under its Machine's uid, for life), Machine without a node, PersistentVolume
type       machine flavour, StorageClass

It is the Kubernetes adapter with more to read: what that one does is not said again here.
"""

from typing import ClassVar

from adapters.ims import kubernetes
from adapters.ims.kubernetes.discovery import PLATFORM, Collection


class Adapter(kubernetes.Adapter):
    """Its options are those of Kubernetes; `check` fails where there is no OpenShift."""

    kind = "openshift"
    also: ClassVar[tuple[Collection, ...]] = PLATFORM
