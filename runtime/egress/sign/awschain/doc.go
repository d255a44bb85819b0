// Package awschain signs requests with AWS Signature Version 4 and the credentials of the SDK's default chain:
// environment variables, shared files with their profiles and roles, credential_process, web identity, and the endpoints
// of ECS, EKS and EC2. It is a package of its own for what it drags in.
package awschain
