"""The measurements that the README quotes, each against its peer in the same run."""
