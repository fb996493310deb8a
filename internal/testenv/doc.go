// Package testenv is what tests ask of the machine they run on. A test that
// needs what is not there skips and says what was missing; with
// SANDBOX_TEST_SKIPS naming a file, every skip is also written there, so that a
// run can list at its end what it did not test.
package testenv
