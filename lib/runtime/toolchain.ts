/** What compiles native code: a compiler and make from the machine, CMake from the machine or from pip. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeUnavailableError } from '../errors.js';
import { cacheFolder, withLock } from './cache.js';

const answer = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' });
const answers = (command: string) => answer(command, '--version').status === 0;

/** Throws COMPILER_MISSING with the command that installs one. */
export function requireCompiler(): void {
	if (process.platform === 'win32') return; // CMake finds Visual Studio by itself and says so where it is not there
	const compiler = [process.env.CXX, 'c++', 'g++', 'clang++'].some((name) => name && answers(name));
	if (compiler && ['make', 'ninja', 'gmake'].some(answers)) return;
	throw new RuntimeUnavailableError('COMPILER_MISSING', `Expected a C++17 compiler and make, found no ${compiler ? 'make' : 'compiler'}`, {
		fix: [process.platform === 'darwin' ? 'xcode-select --install' : 'apt-get install g++ make'],
	});
}

function isCMake(command: string): boolean {
	const version = /cmake version (\d+)\.(\d+)/.exec(answer(command, '--version').stdout ?? '');
	return version !== null && (Number(version[1]) > 3 || Number(version[2]) >= 18);
}

/** CMake 3.18 or later: the machine's, else pip's, put into the per-user cache and said to `say`. Throws CMAKE_MISSING. */
export async function findCMake(say: (text: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<string> {
	if (isCMake('cmake')) return 'cmake';
	const folder = join(cacheFolder(env), 'cmake');
	const program = join(folder, 'cmake', 'data', 'bin', process.platform === 'win32' ? 'cmake.exe' : 'cmake');
	const ready = () => existsSync(program) && isCMake(program);
	if (ready()) return program;
	const missing = (why: string) =>
		new RuntimeUnavailableError('CMAKE_MISSING', `Expected CMake 3.18 or later, found none, and ${why}`, {
			fix: [process.platform === 'darwin' ? 'brew install cmake' : process.platform === 'win32' ? 'winget install cmake' : 'apt-get install cmake'],
		});
	if (env.DISTILTUNE_OFFLINE === '1') throw missing('DISTILTUNE_OFFLINE=1 forbids fetching it');
	await withLock(`${folder}.lock`, async () => {
		if (ready()) return;
		say(`CMake 3.18 or later was not found: taking pip's cmake package into ${folder} ...\n`);
		const python = process.platform === 'win32' ? 'python' : 'python3';
		const pip = ['-m', 'pip', 'install', '--quiet', '--upgrade', '--target', folder, 'cmake<4'];
		await new Promise<void>((resolve) => execFile(python, pip, () => resolve())); // whatever it says, what counts is what is there
		if (!ready()) throw missing('pip did not bring one');
	});
	return program;
}
