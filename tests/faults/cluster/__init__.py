"""Tests on a Ray cluster. This is a package because the cluster's fixture has package scope."""
