//! Phone numbers: the same number is typed in many ways, and a CRM keeps it as typed.
