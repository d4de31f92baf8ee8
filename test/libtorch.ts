/** Folders that look like a libtorch to what reads them; nothing in them can be loaded. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const library = (name: string): string =>
	process.platform === 'win32' ? `${name}.dll` : process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;

/** `symbol` stands in c10 beside a symbol of the new string, which every c10 has. */
export function fakeLibtorch(root: string, version: string, symbol = ''): string {
	mkdirSync(join(root, 'lib'), { recursive: true });
	mkdirSync(join(root, 'include', 'ATen'), { recursive: true });
	writeFileSync(join(root, 'include', 'ATen', 'ATen.h'), '');
	writeFileSync(join(root, 'lib', library('c10')), `\0_ZNSt7__cxx1112basic_string\0${symbol}\0`);
	writeFileSync(join(root, 'lib', library('torch_cpu')), '');
	writeFileSync(join(root, 'version.py'), `__version__ = '${version}+cpu'\n`);
	return root;
}
