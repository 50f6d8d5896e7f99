"""Kubernetes (types `kubernetes`, `k8s`): a cluster's nodes, machines and volumes as an O-Cloud's resources.

manager    the cluster (uid of the namespace kube-system)
pool       MachineSet (machine.openshift.io), MachineDeployment or MachinePool (cluster.x-k8s.io), else a
           node-pool label, else `default`: decided node by node. `storage` holds the PersistentVolumes
resource   Node (if it has a Machine, under that one's uid, for life), Machine without a node,
PersistentVolume type       instance type, or what a node's capacity makes one; StorageClass

list, watch ─► reflector ─► cluster (facts, joins, groups, mapping) ─► Batch
"""

from adapters.ims.kubernetes.adapter import Adapter

__all__ = ["Adapter"]
