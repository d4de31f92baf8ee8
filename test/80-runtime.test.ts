import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../lib/runtime/cache.js';
import { probe, resolveLibtorch, search } from '../lib/runtime/libtorch.js';
import { keptMember, runSetup, wheel } from '../lib/runtime/setup.js';

let folder = '';
let env: NodeJS.ProcessEnv = {};
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune runtime '));
	env = { DISTILTUNE_CACHE_DIR: join(folder, 'cache') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const library = (name: string) =>
	process.platform === 'win32' ? `${name}.dll` : process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;

/** Files that look like a libtorch to the probe; nothing in them can be loaded. */
function fakeLibtorch(root: string, version: string, symbol = ''): string {
	mkdirSync(join(root, 'lib'), { recursive: true });
	mkdirSync(join(root, 'include', 'ATen'), { recursive: true });
	writeFileSync(join(root, 'lib', library('c10')), `\0_ZNSt7__cxx1112basic_string\0${symbol}\0`);
	writeFileSync(join(root, 'lib', library('torch_cpu')), '');
	writeFileSync(join(root, 'version.py'), `__version__ = '${version}+cpu'\n`);
	return root;
}

function cachedLibtorch(): void {
	const place = join(folder, 'cache', 'libtorch', wheel.version);
	fakeLibtorch(join(place, 'torch'), '1.11.0');
	writeFileSync(join(place, 'complete.json'), '{}');
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
	it('refuses a folder without c10', () => {
		mkdirSync(join(folder, 'lib'));
		expect(probe(folder, 'test')).toMatch(/no c10/);
	});
});

describe('places are tried in order', () => {
	it('never passes over a wrong name, even with one in the cache', () => {
		cachedLibtorch();
		const wrong = { ...env, DISTILTUNE_LIBTORCH: join(folder, 'nowhere') };
		expect(() => resolveLibtorch({ env: wrong })).toThrow(expect.objectContaining({ code: 'LIBTORCH_BAD_PATH' }));
	});
	it('takes the cache before a Python environment and lists both', () => {
		cachedLibtorch();
		const site = process.platform === 'win32' ? ['Lib', 'site-packages'] : ['lib', 'python3.10', 'site-packages'];
		const python = fakeLibtorch(join(folder, 'venv', ...site, 'torch'), '2.1.0');
		const { libtorch, tried } = search({ env: { ...env, VIRTUAL_ENV: join(folder, 'venv') } });
		expect(libtorch?.source).toBe('cache');
		expect(tried.find((attempt) => attempt.place === python)).toMatchObject({ found: true });
	});
	it('does not count a cache folder without complete.json', () => {
		cachedLibtorch();
		rmSync(join(folder, 'cache', 'libtorch', wheel.version, 'complete.json'));
		expect(search({ env }).libtorch?.source).not.toBe('cache');
	});
});

describe('setup', () => {
	it('takes a folder, writes complete.json last and clears what a killed run left', async () => {
		const left = join(folder, 'cache', 'libtorch', '.partial-killed');
		mkdirSync(left, { recursive: true });
		const found = await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '2.13.1'), env });
		expect(found).toMatchObject({ version: '2.13.1', source: 'cache' });
		expect(existsSync(left)).toBe(false);
		expect(search({ env }).libtorch?.lib).toBe(found.lib);
	});
	it('refuses to fetch when offline', async () => {
		await expect(runSetup({ env: { ...env, DISTILTUNE_OFFLINE: '1' } })).rejects.toMatchObject({ code: 'DOWNLOAD_REFUSED_OFFLINE' });
	});
	it('keeps nothing of a wheel whose hash is not the pinned one', async () => {
		const file = join(folder, wheel.file);
		writeFileSync(file, 'not the wheel');
		await expect(runSetup({ from: file, env })).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
		expect(existsSync(join(folder, 'cache', 'libtorch', wheel.version))).toBe(false);
	});
	it('keeps CPU libraries and headers, never a path that climbs', () => {
		expect(keptMember('torch/lib/libtorch_cpu.so')).toBe('lib/libtorch_cpu.so');
		expect(keptMember('torch/include/ATen/ATen.h')).toBe('include/ATen/ATen.h');
		expect(keptMember('torch/lib/libtorch_cuda.so')).toBeUndefined();
		expect(keptMember('torch/include/../../../evil.h')).toBeUndefined();
	});
	it('takes over the lock of a process that is gone', async () => {
		const lock = join(folder, 'lock');
		writeFileSync(lock, '2147483646 gone');
		expect(await withLock(lock, async () => 'ran')).toBe('ran');
		expect(existsSync(lock)).toBe(false);
	});
});
