"""Which of many pairs share anything: nulls that respect documents, effective samples, false discovery."""
