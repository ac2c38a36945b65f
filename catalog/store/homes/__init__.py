"""Where a catalog is: in a folder of this machine, or on an object store that any number of replicas share."""
