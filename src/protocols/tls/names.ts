/** Is this an IP address? Then it is no server_name (RFC 6066 §3). */
export const isAddress = (name: string): boolean => name.includes(":") || /^\d+(\.\d+){3}$/.test(name);
