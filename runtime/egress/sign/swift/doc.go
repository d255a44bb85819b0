// Package swift signs requests to OpenStack's Swift and its kin with tokens of Keystone v3 (password or
// application credential) or of Swift's own v1 authentication, and makes TempURLs.
package swift
