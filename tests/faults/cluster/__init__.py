"""On a Ray cluster. This is a package, so that the cluster, of that scope, ends with its tests."""
