// Scripts of three shells, made of one description. Each walks the words before the cursor to find the command, then
// offers what may follow: a value's choices, files for another value, else commands and options.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

#include "pgsluice/error.h"
#include "tools/pgsluice/command_description.h"

namespace pgsluice::tools {

namespace {

using OnCommand = std::function<void(const CommandDescription&)>;

void for_each(const CommandDescription& command, const OnCommand& on_command) {
  on_command(command);
  for (const CommandDescription& below : command.commands) for_each(below, on_command);
}

// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::vector<std::string> names_of_options(const CommandDescription& command) {
  std::vector<std::string> names;
  for (const OptionDescription& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// Lines of a case statement by which the path of a command grows with a word.
std::string steps_of_path(const CommandDescription& program) {
  std::string steps;
  for_each(program, [&](const CommandDescription& command) {
    for (const CommandDescription& below : command.commands) {
      for (const std::string& name : below.names) {
        steps += fmt::format("      {}) path={} ;;\n", quoted(command.path + " " + name), quoted(below.path));
      }
    }
  });
  return steps;
}

// Lines of a case statement over "path word": what an option's value may be. `choose` and `files` are the shell's.
std::string values_of_options(const CommandDescription& program,
                              const std::function<std::string(const OptionDescription&)>& offer) {
  std::string cases;
  for_each(program, [&](const CommandDescription& command) {
    for (const OptionDescription& option : command.options) {
      if (option.value.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(quoted(command.path + " " + name));
      cases += fmt::format("    {}) {}; return ;;\n", fmt::join(patterns, "|"), offer(option));
    }
  });
  return cases;
}

std::string bash(const CommandDescription& program) {
  std::string offers;
  for_each(program, [&](const CommandDescription& command) {
    std::vector<std::string> words;
    for (const CommandDescription& below : command.commands) words.push_back(below.names.front());
    const std::vector<std::string> options = names_of_options(command);
    offers += fmt::format("    {}) commands={} options={} ;;\n", quoted(command.path),
                          quoted(fmt::format("{}", fmt::join(words, " "))),
                          quoted(fmt::format("{}", fmt::join(options, " "))));
  });
  const auto offer = [](const OptionDescription& option) {
    if (option.choices.empty()) return std::string("COMPREPLY=($(compgen -f -- \"$cur\"))");
    return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))",
                       quoted(fmt::format("{}", fmt::join(option.choices, " "))));
  };
  return fmt::format(R"(# bash completion of pgsluice
_pgsluice() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path=pgsluice word commands options
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path $word" in
{}    esac
  done
  case "$path $prev" in
{}  esac
  case "$path" in
{}  esac
  if [[ $cur == -* || -z $commands ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  fi
}}
complete -o filenames -F _pgsluice pgsluice
)",
                     steps_of_path(program), values_of_options(program, offer), offers);
}

// A word and what is said of it, as _describe takes both.
std::string described(const std::string& word, const std::string& help) {
  std::string text;
  for (const char c : word) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return quoted(text + ":" + help);
}

std::string zsh(const CommandDescription& program) {
  std::string offers;
  for_each(program, [&](const CommandDescription& command) {
    std::vector<std::string> words;
    for (const CommandDescription& below : command.commands)
      words.push_back(described(below.names.front(), below.help));
    std::vector<std::string> options;
    for (const OptionDescription& option : command.options) {
      for (const std::string& name : option.names) options.push_back(described(name, option.help));
    }
    offers += fmt::format("    {}) commands=({}) options=({}) ;;\n", quoted(command.path), fmt::join(words, " "),
                          fmt::join(options, " "));
  });
  const auto offer = [](const OptionDescription& option) {
    if (option.choices.empty()) return std::string("_files");
    return fmt::format("compadd {}", fmt::join(option.choices, " "));
  };
  return fmt::format(R"(#compdef pgsluice
_pgsluice() {{
  local path=pgsluice word
  local -a commands options
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$path $word" in
{}    esac
  done
  case "$path ${{words[CURRENT-1]}}" in
{}  esac
  case "$path" in
{}  esac
  if [[ $PREFIX == -* || ${{#commands}} -eq 0 ]]; then
    _describe -o option options
  else
    _describe command commands
  fi
}}
if [[ $funcstack[1] == _pgsluice ]]; then _pgsluice "$@"; else compdef _pgsluice pgsluice; fi
)",
                     steps_of_path(program), values_of_options(program, offer), offers);
}

std::string fish_option(const OptionDescription& option) {
  std::string words;
  for (const std::string& name : option.names) {
    words += name.rfind("--", 0) == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.choices.empty()) {
    words += " -x -a " + quoted(fmt::format("{}", fmt::join(option.choices, " ")));
  } else if (!option.value.empty()) {
    words += " -r -F";
  }
  return words + " -d " + quoted(option.help);
}

std::string fish(const CommandDescription& program) {
  std::string steps;
  std::string offers;
  for_each(program, [&](const CommandDescription& command) {
    const std::string here = fmt::format("complete -c pgsluice -n '__pgsluice_at \"{}\"'", command.path);
    for (const CommandDescription& below : command.commands) {
      for (const std::string& name : below.names) {
        steps +=
            fmt::format("      case {}\n        set path {}\n", quoted(command.path + " " + name), quoted(below.path));
      }
      offers += fmt::format("{} -a {} -d {}\n", here, below.names.front(), quoted(below.help));
    }
    for (const OptionDescription& option : command.options) offers += here + fish_option(option) + "\n";
  });
  return fmt::format(R"(# fish completion of pgsluice
function __pgsluice_at
  set -l path pgsluice
  for word in (commandline -opc)[2..-1]
    switch "$path $word"
{}    end
  end
  test "$path" = $argv[1]
end
complete -c pgsluice -f
{})",
                     steps, offers);
}

}  // namespace

std::string completion_script(const CommandDescription& program, const std::string& shell) {
  if (shell == "bash") return bash(program);
  if (shell == "zsh") return zsh(program);
  if (shell == "fish") return fish(program);
  throw Error(ErrorKind::kUsage, fmt::format("no completion for the shell {}", shell)).hint("bash, zsh or fish");
}

}  // namespace pgsluice::tools
