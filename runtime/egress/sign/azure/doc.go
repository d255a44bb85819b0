// Package azure signs requests to Azure Storage: with an account's key, by Microsoft's own client, or with a shared access
// signature (SAS) that somebody else has made.
package azure
