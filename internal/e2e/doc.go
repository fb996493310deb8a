// Package e2e is what tests of the finished programs stand on. It builds them
// once per test process, gives each test a home and a runtime directory of its
// own, runs commands there with a clean environment, and afterwards fails the
// test when anything is left: a process, a mount, a control group, an entry of
// the registry.
//
// The probe (testdata/probe) is the app of most tests: a static program that
// performs the operations named by its arguments and prints the errno of each,
// so that "refused" and "failed for another reason" are told apart. The same
// probe runs outside the sandbox to show that a refusal is the sandbox's.
package e2e
