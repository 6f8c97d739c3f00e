"""The candidates of ``auto``, one a file, behind the protocol of ``lmi.auto.protocol.candidate``."""
