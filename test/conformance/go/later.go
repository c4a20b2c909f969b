package main

func istioctlCommand([]string) error  { return nil }
func compareCommand([]string) error   { return nil }
func pagesCommand([]string) error     { return nil }
func proxylessCommand([]string) error { return nil }
