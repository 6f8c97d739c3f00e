"""Lists of edges in place of whole tables: all pairs in one call, networks, sparse features."""
