import { spawnSync } from 'node:child_process';
import {
	closeSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesCutOff } from '../lib/runtime/elf.js';
import { installFolder } from '../lib/runtime/installed.js';
import { cachedLibtorch, libraryFile, probe, resolveLibtorch, search } from '../lib/runtime/libtorch.js';
import { fakeLibtorch, library } from './libtorch.js';

let folder = '';
let env: NodeJS.ProcessEnv = {};
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune runtime '));
	env = { DISTILTUNE_CACHE_DIR: join(folder, 'cache') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fillCache(): string {
	const place = installFolder(env);
	const root = fakeLibtorch(join(place, 'torch'), '1.11.0');
	const size = statSync(join(root, 'lib', library('c10'))).size;
	const record = { key: 'torch1.11-cxx11', version: '1.11.0', source: 'test', libraries: { [library('c10')]: { size, sha256: '' } } };
	writeFileSync(join(place, 'complete.json'), JSON.stringify(record));
	return place;
}

describe('libtorch is read from its files', () => {
	it('gives version and key, whether the root or its lib folder is named', () => {
		const root = fakeLibtorch(join(folder, 'torch'), '2.13.1');
		expect(probe(root, 'test')).toMatchObject({ version: '2.13.1', key: 'torch2.13-cxx11' });
		expect(probe(join(root, 'lib'), 'test')).toMatchObject({ lib: join(root, 'lib'), include: join(root, 'include') });
	});
	it.runIf(process.platform === 'linux')('knows the old string by c10::Error, though any c10 holds __cxx11 symbols', () => {
		const root = fakeLibtorch(join(folder, 'torch'), '1.11.0', '_ZN3c105ErrorC1ENS_14SourceLocationESs');
		expect(probe(root, 'test')).toMatchObject({ abi: 'pre', key: 'torch1.11-pre' });
	});
	it("knows Debian's by C10_USE_GLOG", () => {
		const root = fakeLibtorch(join(folder, 'torch'), '1.13.1');
		mkdirSync(join(root, 'include', 'c10', 'macros'), { recursive: true });
		writeFileSync(join(root, 'include', 'c10', 'macros', 'cmake_macros.h'), '#define C10_USE_GLOG\n');
		expect(probe(root, 'test')).toMatchObject({ key: 'torch1.13-cxx11-deb' });
	});
	it.runIf(process.platform === 'linux')("finds Debian's libraries and headers under the root or their own folder", () => {
		const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
		const usr = join(folder, 'usr');
		fakeLibtorch(usr, '1.13.1');
		const lib = join(usr, 'lib', multiarch);
		mkdirSync(lib);
		for (const name of ['c10', 'torch_cpu']) renameSync(join(usr, 'lib', library(name)), join(lib, library(name)));
		for (const place of [usr, lib]) expect(probe(place, 'test')).toMatchObject({ lib, include: join(usr, 'include'), version: '1.13.1' });
	});
	it('refuses a folder without c10', () => {
		mkdirSync(join(folder, 'lib'));
		expect(probe(folder, 'test')).toMatch(/no c10/);
	});
});

describe('places are tried in order', () => {
	it('never passes over a wrong name, even with one in the cache', () => {
		fillCache();
		const wrong = { ...env, DISTILTUNE_LIBTORCH: join(folder, 'nowhere') };
		expect(() => resolveLibtorch({ env: wrong })).toThrow(expect.objectContaining({ code: 'LIBTORCH_BAD_PATH' }));
	});
	it('takes the cache before a Python environment and lists both', () => {
		fillCache();
		const site = process.platform === 'win32' ? ['Lib', 'site-packages'] : ['lib', 'python3.10', 'site-packages'];
		const python = fakeLibtorch(join(folder, 'venv', ...site, 'torch'), '2.1.0');
		const { libtorch, tried } = search({ env: { ...env, VIRTUAL_ENV: join(folder, 'venv') } });
		expect(libtorch?.source).toBe('cache');
		expect(tried.find((attempt) => attempt.place === python)).toMatchObject({ found: true });
	});
	it('does not count a cache folder without complete.json', () => {
		rmSync(join(fillCache(), 'complete.json'));
		expect(search({ env }).libtorch?.source).not.toBe('cache');
	});
	it('does not count a cached library that was cut short, and says which', () => {
		writeFileSync(join(fillCache(), 'torch', 'lib', library('c10')), 'short');
		expect(cachedLibtorch(env)).toMatch(/^damaged: .*c10.* has 5 bytes/);
		expect(search({ env }).tried[0]).toMatchObject({ found: false, reason: expect.stringContaining('damaged') });
	});
});

describe('a library that is cut short', () => {
	it.runIf(process.platform === 'linux')('is refused, where opening it would end the process', () => {
		const whole = resolveLibtorch();
		const root = join(folder, 'torch');
		mkdirSync(join(root, 'lib'), { recursive: true });
		symlinkSync(whole.include ?? '', join(root, 'include'));
		for (const name of readdirSync(whole.lib).filter((name) => /^lib(c10|gomp|cudart)[-.]/.test(name)))
			symlinkSync(join(whole.lib, name), join(root, 'lib', name));
		writeFileSync(join(root, 'lib', 'libtorch_cpu.so'), beginning(libraryFile(whole.lib, 'torch_cpu') ?? '', 1 << 20));
		writeFileSync(join(root, 'version.py'), `__version__ = '${whole.version}'\n`);

		const load = new URL('../dist/runtime/load.js', import.meta.url).href;
		const program = `import(${JSON.stringify(load)}).then(({ loadEngine }) => loadEngine()).catch(({ code, message }) => console.log(code, message))`;
		const { stdout, signal } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env: { ...process.env, DISTILTUNE_LIBTORCH: root } });
		expect(signal).toBeNull();
		expect(stdout).toMatch(/^LIBTORCH_DAMAGED .*libtorch_cpu\.so to have at least \d{8,} bytes, got 1048576: it is cut short/);
	});

	it('is told from a whole one and from what is no library', () => {
		expect(bytesCutOff(process.execPath)).toBeUndefined();
		expect(bytesCutOff(fileURLToPath(import.meta.url))).toBeUndefined();
	});
});

function beginning(path: string, bytes: number): Buffer {
	const file = openSync(path, 'r');
	const piece = Buffer.alloc(bytes);
	readSync(file, piece);
	closeSync(file);
	return piece;
}
