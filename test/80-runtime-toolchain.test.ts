import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findCMake, requireCompiler } from '../lib/runtime/toolchain.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let folder = '';
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune tools '));
	vi.stubEnv('PATH', folder);
	vi.stubEnv('CXX', undefined);
});
afterEach(() => {
	vi.unstubAllEnvs();
	rmSync(folder, { recursive: true, force: true });
});

/** A program on PATH that answers every call with `words`. */
function program(name: string, words = ''): void {
	writeFileSync(join(folder, name), `#!/bin/sh\necho '${words}'\n`);
	chmodSync(join(folder, name), 0o755);
}

describe.skipIf(process.platform === 'win32')('what compiles is looked for on the machine', () => {
	const missing = (what: string) =>
		expect.objectContaining({ code: 'COMPILER_MISSING', message: expect.stringContaining(`found no ${what}`), hint: expect.any(String) });

	it('no compiler', () => expect(() => requireCompiler()).toThrow(missing('compiler')));
	it('a compiler without make', () => {
		program('g++');
		expect(() => requireCompiler()).toThrow(missing('make'));
	});
	it('both', () => {
		for (const name of ['clang++', 'ninja']) program(name);
		expect(() => requireCompiler()).not.toThrow();
	});
	it.each([
		['3.18.0', true],
		['4.1.2', true],
		['3.17.5', false],
	])('CMake %s fits: %s', async (version, fits) => {
		program('cmake', `cmake version ${version}`);
		const found = findCMake(() => {}, { DISTILTUNE_OFFLINE: '1', DISTILTUNE_CACHE_DIR: folder });
		await (fits ? expect(found).resolves.toBe('cmake') : expect(found).rejects.toMatchObject({ code: 'CMAKE_MISSING' }));
	});
	it('no CMake and no pip', async () => {
		const said: string[] = [];
		const found = findCMake((text) => said.push(text), { DISTILTUNE_CACHE_DIR: folder });
		await expect(found).rejects.toMatchObject({ code: 'CMAKE_MISSING', message: expect.stringContaining('pip') });
		expect(said.join('')).toContain("pip's cmake package");
	});
});

describe('npm run ...', () => {
	it.each(['16.20.2', '18.19.0', '20.16.0', '22.8.0'])(
		'refuses Node %s in one sentence that ends in the command that installs another',
		(version) => {
			const older = join(folder, 'older.cjs');
			writeFileSync(older, `Object.defineProperty(process.versions, 'node', { value: '${version}' });`);
			const { status, stderr } = spawnSync(process.execPath, ['--require', older, join(root, 'scripts', 'dev.mjs'), 'build'], { encoding: 'utf8' });
			expect(status).toBe(2);
			expect(stderr).toMatch(new RegExp(`^Node ${version.replaceAll('.', '\\.')} is too old: .*npx n 22\n$`));
		},
	);
});
