// Package sigv4 signs requests with AWS Signature Version 4, as S3 and its kin want them, by the
// signer of AWS's SDK.
package sigv4
