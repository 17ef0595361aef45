/** This process runs on an emulated processor (`npm run arm64`), whose emulator knows fewer options of sockets than the kernel. */
export const EMULATED = process.env['EMULATED'] !== undefined;
