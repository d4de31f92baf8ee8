import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diagnose, formatDoctor } from '../lib/runtime/doctor.js';
import { installFolder } from '../lib/runtime/installed.js';
import { runSetup } from '../lib/runtime/setup.js';
import { fakeLibtorch, library } from './libtorch.js';

let folder = '';
let env: NodeJS.ProcessEnv = {};
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune doctor '));
	env = { PATH: process.env.PATH, DISTILTUNE_CACHE_DIR: join(folder, 'cache') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('doctor on a machine that is ready', () => {
	it('finds nothing wrong and loads both addons over the libtorch that the tests use', async () => {
		const found = await diagnose();
		expect(found.problems).toEqual([]);
		expect(found.addons).toEqual({ base: true, engine: true });
		expect(found.cpu?.cores).toBeGreaterThan(0);
		expect(found.engines.map(({ key }) => key)).toContain(found.libtorch.chosen?.key);
		const lines = formatDoctor(found).split('\n');
		expect(lines).toContain('Addons: base loads, engine loads');
		expect(lines.at(-1)).toBe('Ready to train.');
	});
});

describe('doctor on a broken machine never throws, and names what mends it', () => {
	it('no libtorch', async () => {
		const found = await diagnose({ env });
		// A system libtorch would be found here.
		if (found.libtorch.chosen) return expect(found.libtorch.chosen.source).toBe('system');
		expect(found.problems).toEqual([{ what: expect.stringContaining('No libtorch'), fix: 'npx distiltune setup' }]);
		expect(found.addons).toEqual({ base: true, engine: false });
		expect(formatDoctor(found)).toMatch(/\n {4}npx distiltune setup$/);
	});
	it('a libtorch that was named and is not there', async () => {
		const place = join(folder, 'nowhere');
		const found = await diagnose({ env: { ...env, DISTILTUNE_LIBTORCH: place } });
		expect(found.libtorch.tried).toEqual([{ place, found: false, reason: 'no such folder' }]);
		expect(found.problems[0]?.what).toContain(place);
	});
	it('a libtorch no engine is built for', async () => {
		const found = await diagnose({ env, libtorch: fakeLibtorch(join(folder, 'torch'), '9.9.0') });
		expect(found.libtorch.chosen?.key).toBe('torch9.9-cxx11');
		expect(found.problems).toEqual([{ what: expect.stringContaining('torch9.9-cxx11'), fix: 'npx distiltune build' }]);
	});
	it('a cached library whose bytes changed, though not their number', async () => {
		await runSetup({ from: fakeLibtorch(join(folder, 'torch'), '9.9.0'), env });
		const path = join(installFolder(env), 'torch', 'lib', library('c10'));
		writeFileSync(path, '\0_ZNSt7__cxx1112basic_strinG\0\0');
		const found = await diagnose({ env });
		expect(found.problems[0]).toEqual({ what: expect.stringContaining(path), fix: expect.stringContaining('setup clean') });
	});
	it('a library that ends the process which opens it, or is none at all', async () => {
		const { chosen } = (await diagnose()).libtorch;
		if (!chosen) throw new Error('the tests have a libtorch');
		const root = fakeLibtorch(join(folder, 'torch'), chosen.version, chosen.abi === 'pre' ? '_ZN3c105ErrorC1ENS_14SourceLocationESs' : '');
		const found = await diagnose({ env: { ...env, DISTILTUNE_LIBTORCH: root } });
		expect(found.addons).toEqual({ base: true, engine: false });
		expect(found.problems).toHaveLength(1);
	});
	it('a cache that is a file', async () => {
		writeFileSync(join(folder, 'cache'), '');
		const found = await diagnose({ env });
		expect(found.cache).toMatchObject({ folder: join(folder, 'cache'), writable: false });
		expect(found.problems.map(({ fix }) => fix)).toContain('export DISTILTUNE_CACHE_DIR=FOLDER');
	});
});
