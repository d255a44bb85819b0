// Package oauth2 sends bearer tokens that an OAuth 2.0 server gives out for client credentials (RFC 6749, section 4.4), and
// renews them ahead of their end.
package oauth2
