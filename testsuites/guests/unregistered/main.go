// Command unregistered is a guest whose author forgot to register a driver.
package main

import _ "github.com/berth-dev/storagedriver/guest-sdk/go"

func main() {}
