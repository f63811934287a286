package login

import (
	"time"

	"ccms/internal/problem"
)

// The failures of contract section 2 and of decisions B and G. Each call
// returns a fresh value, so no caller can change another's.

func missingCredentials() *problem.Error {
	return problem.New(problem.Invalid, "INVALID_REQUEST", "Email and password are required", "Send email and password, both not empty.")
}

func wrongCredentials() *problem.Error {
	return problem.New(problem.Unauthorized, "INVALID_CREDENTIALS", "Invalid email or password", "Check both, or reset the password.")
}

func wrongPassword() *problem.Error {
	return problem.New(problem.Forbidden, "INVALID_CREDENTIALS", "Current password is wrong", "Send the password you log in with.")
}

// lockedFirst is the sentence of section 2.1, lockedLater that of 2.2.
func lockedFirst() *problem.Error {
	return problem.New(problem.Forbidden, "ACCOUNT_LOCKED", "Account is locked. Please reset your password", "Reset the password by mail, or wait until the lock ends.")
}

func lockedLater() *problem.Error {
	return problem.New(problem.Forbidden, "ACCOUNT_LOCKED", "Account locked due to multiple failed attempts", "Reset the password by mail, or wait until the lock ends.")
}

func expiredPassword() *problem.Error {
	return problem.New(problem.Forbidden, "PASSWORD_EXPIRED", "Password expired. Please reset", "Ask for a reset mail and set a new password.")
}

func incompleteSignUp() *problem.Error {
	return problem.New(problem.Invalid, "INVALID_REQUEST", "Username, name, email and password are required", "Send username, name.first, name.last, email and password, none of them empty.")
}

func invalidSignUp(details string) *problem.Error {
	return problem.New(problem.Invalid, "INVALID_REQUEST", "Username, name, email and password are required", details)
}

func invalidEmail() *problem.Error {
	return problem.New(problem.Invalid, "INVALID_EMAIL", "Invalid email format", "Send an address such as name@example.com, of at most 254 characters.")
}

func weakPassword(details string) *problem.Error {
	return problem.New(problem.Invalid, "WEAK_PASSWORD", "Password does not meet requirements", details)
}

func passwordMismatch() *problem.Error {
	return problem.New(problem.Invalid, "PASSWORD_MISMATCH", "Passwords do not match", "Send the new password twice.")
}

func emailExists() *problem.Error {
	return problem.New(problem.Conflict, "EMAIL_EXISTS", "Email is already registered", "Log in, or reset the password of that account.")
}

func usernameExists() *problem.Error {
	return problem.New(problem.Conflict, "USERNAME_EXISTS", "Username is already taken", "Choose another username.")
}

func noCustomer() *problem.Error {
	return problem.New(problem.NotFound, "USER_NOT_FOUND", "Customer not found", "Check the address, or sign up.")
}

func noAccount() *problem.Error {
	return problem.New(problem.NotFound, "USER_NOT_FOUND", "No account found", "Check the address, or sign up.")
}

func alreadyVerified() *problem.Error {
	return problem.New(problem.Conflict, "ALREADY_VERIFIED", "Account is already validated", "Log in.")
}

func verificationTooSoon(wait time.Duration) *problem.Error {
	return tooSoon("Please wait before requesting again", wait)
}

func resetTooSoon(wait time.Duration) *problem.Error {
	return tooSoon("Please wait before requesting", wait)
}

func tooSoon(sentence string, wait time.Duration) *problem.Error {
	return problem.New(problem.TooMany, "TOO_MANY_REQUESTS", sentence, "A mail is on its way; ask again after the time given in Retry-After.").After(wait)
}

func invalidVerification() *problem.Error {
	return problem.New(problem.Invalid, "INVALID_TOKEN", "Invalid verification token", "Open the whole link from the mail.")
}

func expiredVerification() *problem.Error {
	return problem.New(problem.Invalid, "TOKEN_EXPIRED", "Verification token has expired", "Ask for a new verification mail.")
}

func unknownVerification() *problem.Error {
	return problem.New(problem.NotFound, "TOKEN_NOT_FOUND", "Verification token not found", "Use the link from the latest mail, or ask for a new one.")
}

func invalidReset() *problem.Error {
	return problem.New(problem.Invalid, "INVALID_TOKEN", "Invalid or expired reset token", "Ask for a new reset mail.")
}
