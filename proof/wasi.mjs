// Runs a program for wasm32-wasip1: `node wasi.mjs PROGRAM ARGUMENTS…`; what `cargo xtask wasm` gives cargo as its runner.
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [program, ...args], env: {}, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));

// An older wasi-libc has no functions for threads. A newer one answers the same: ENOTSUP.
const missing = WebAssembly.Module.imports(module).filter(({ module }) => module === 'env');
const unknown = missing.filter(({ name }) => !name.startsWith('pthread_'));
if (unknown.length > 0) {
    throw new Error(`not in wasi-libc: ${unknown.map(({ name }) => name).join(', ')}`);
}
const env = Object.fromEntries(missing.map(({ name }) => [name, () => 58]));

const instance = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), env });
process.exitCode = wasi.start(instance);
