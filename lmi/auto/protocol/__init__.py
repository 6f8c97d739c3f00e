"""What a candidate is: the protocol, and the numbers, scores and nulls that several candidates share."""
