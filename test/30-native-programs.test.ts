import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { testPrograms } from '../lib/runtime/build.js';
import { resolveLibtorch } from '../lib/runtime/libtorch.js';

// The programs of native/<room>/test print "ok NAME" or "not ok NAME: reason" for each case (native/test/check.h).

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const libtorch = resolveLibtorch();
const build = testPrograms(libtorch);
const sources = readdirSync(join(root, 'native'), { withFileTypes: true })
	.filter((room) => room.isDirectory() && existsSync(join(root, 'native', room.name, 'test')))
	.flatMap((room) => readdirSync(join(root, 'native', room.name, 'test')))
	.filter((file) => file.endsWith('_test.cpp'));

// Windows looks for libraries along PATH; elsewhere the programs carry the folder themselves.
const env = process.platform === 'win32' ? { ...process.env, PATH: `${libtorch.lib};${process.env.PATH}` } : process.env;

const program = (name: string) => [name, `${name}.exe`, join('Release', `${name}.exe`)].map((file) => join(build, file)).find(existsSync);

describe.each(sources.map((file) => basename(file, '.cpp')))('%s', (name) => {
	const path = program(name);
	const run = path === undefined ? undefined : spawnSync(path, { cwd: root, encoding: 'utf8', env });
	const lines = run?.stdout.split(/\r?\n/).filter((line) => /^(not )?ok /.test(line)) ?? [];

	it.each(lines)('%s', (line) => expect(line).toMatch(/^ok /));

	it('is built, runs to its end and has cases', () => {
		expect(run?.signal, path).toBeNull();
		expect(run?.status, run?.stderr).toBe(0);
		expect(lines.length).toBeGreaterThan(0);
	});
});
