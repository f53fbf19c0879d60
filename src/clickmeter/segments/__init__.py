"""Reports over columns, shared by the engines that keep rows."""
