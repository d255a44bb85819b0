// Package oss signs requests to Alibaba Cloud's OSS with version 4 of its signatures, by the signer of its SDK.
package oss
